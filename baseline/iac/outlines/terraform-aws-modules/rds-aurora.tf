# A cluster with its instances, parameters, role and security group. Until 5 instances were counted by another input.
#
# Never writes aws_rds_cluster: multi_az
# Never writes aws_rds_cluster_instance: backup_retention_period, deletion_protection, enabled_cloudwatch_logs_exports, iam_database_authentication_enabled
# Never writes aws_rds_cluster_instance: kms_key_id, multi_az, parameter_group_name, port, replicate_source_db, storage_encrypted, username, vpc_security_group_ids
# Never writes aws_security_group: egress, ingress
# Never writes aws_iam_role: inline_policy
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_cluster" { default = true }
variable "name" { default = "" }
variable "tags" { default = {} }
variable "cluster_tags" { default = {} }
variable "is_primary_cluster" { default = true }
variable "engine" { default = null }
variable "engine_version" { default = null }
variable "engine_mode" { default = "provisioned" }
variable "availability_zones" { default = null }
variable "backup_retention_period" { default = null }
variable "backtrack_window" { default = null }
variable "copy_tags_to_snapshot" { default = null }
variable "deletion_protection" { default = null }
variable "enabled_cloudwatch_logs_exports" { default = [] }
variable "iam_database_authentication_enabled" { default = null }
variable "kms_key_id" { default = null }
variable "master_username" { default = null }
variable "port" { default = null }
variable "storage_encrypted" { default = true }
variable "vpc_security_group_ids" { default = [] }
variable "instances" { default = {} }
variable "instance_class" { default = "" }
variable "auto_minor_version_upgrade" { default = null }
variable "ca_cert_identifier" { default = null }
variable "db_subnet_group_name" { default = "" }
variable "monitoring_interval" { default = 0 }
variable "cluster_monitoring_interval" { default = 0 }
variable "performance_insights_enabled" { default = null }
variable "performance_insights_kms_key_id" { default = null }
variable "publicly_accessible" { default = null }
variable "create_monitoring_role" { default = true }
variable "monitoring_role_arn" { default = "" }
variable "iam_role_name" { default = null }
variable "iam_role_use_name_prefix" { default = false }
variable "iam_role_path" { default = null }
variable "iam_role_managed_policy_arns" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_max_session_duration" { default = null }
variable "create_security_group" { default = true }
variable "security_group_name" { default = "" }
variable "security_group_use_name_prefix" { default = true }
variable "security_group_description" { default = null }
variable "security_group_tags" { default = {} }
variable "vpc_id" { default = "" }
variable "allowed_security_groups" { default = [] }
variable "allowed_cidr_blocks" { default = [] }
variable "security_group_egress_rules" { default = {} }
variable "security_group_ingress_rules" { default = {} }
variable "security_group_rules" { default = {} }
variable "create_db_cluster_parameter_group" { default = false }
variable "db_cluster_parameter_group_name" { default = null }
variable "db_cluster_parameter_group_family" { default = "" }
variable "db_cluster_parameter_group_parameters" { default = [] }
variable "cluster_parameter_group" { default = null }
variable "create_db_parameter_group" { default = false }
variable "db_parameter_group_name" { default = null }
variable "db_parameter_group_family" { default = "" }
variable "db_parameter_group_parameters" { default = [] }
variable "db_parameter_group" { default = null }
variable "create_cloudwatch_log_group" { default = false }
variable "cloudwatch_log_group_retention_in_days" { default = 7 }
variable "cloudwatch_log_group_kms_key_id" { default = null }

# How many instances 5 and older make, and how long backups are kept where nothing is said.
variable "instances_of_5" {}
variable "days_of_backups" {}

locals {
  create     = var.create && var.create_cluster
  ten        = var.version >= 100000
  serverless = var.engine_mode == "serverless"
  port       = try(coalesce(var.port, contains(["aurora-postgresql", "postgres"], var.engine) ? 5432 : 3306), 3306)
  interval   = max(var.monitoring_interval, var.cluster_monitoring_interval)
  sg         = local.create && var.create_security_group
  sg_name    = try(coalesce(var.security_group_name, var.name), "")
  parameters = local.ten ? var.cluster_parameter_group != null : var.create_db_cluster_parameter_group
  ones       = local.ten ? var.db_parameter_group != null : var.create_db_parameter_group
  given      = [var.db_cluster_parameter_group_parameters, try(var.cluster_parameter_group.parameters, {})][local.ten ? 1 : 0]
  given_ones = [var.db_parameter_group_parameters, try(var.db_parameter_group.parameters, {})][local.ten ? 1 : 0]
  copies     = var.copy_tags_to_snapshot != null ? var.copy_tags_to_snapshot : local.ten ? true : null
}

resource "aws_rds_cluster" "this" {
  count = local.create ? 1 : 0

  cluster_identifier                  = var.name
  availability_zones                  = var.availability_zones
  backup_retention_period             = var.backup_retention_period != null ? var.backup_retention_period : var.version < 80000 ? 7 : var.days_of_backups
  backtrack_window                    = try(startswith(var.engine, "aurora-mysql"), false) || var.engine == "aurora" ? var.backtrack_window : 0
  copy_tags_to_snapshot               = local.copies
  db_cluster_parameter_group_name     = local.parameters ? aws_rds_cluster_parameter_group.this[0].id : var.db_cluster_parameter_group_name
  deletion_protection                 = var.deletion_protection
  enabled_cloudwatch_logs_exports     = var.enabled_cloudwatch_logs_exports
  engine                              = var.engine
  engine_mode                         = var.engine_mode
  engine_version                      = var.engine_version
  iam_database_authentication_enabled = var.iam_database_authentication_enabled
  kms_key_id                          = var.kms_key_id
  master_username                     = var.is_primary_cluster ? (var.version < 80000 ? try(coalesce(var.master_username, "root"), "root") : var.master_username) : null
  port                                = local.port
  storage_encrypted                   = var.storage_encrypted
  vpc_security_group_ids              = compact(concat([try(aws_security_group.this[0].id, "")], var.vpc_security_group_ids))
  tags                                = merge(var.tags, var.cluster_tags)
}

resource "aws_rds_cluster_instance" "this" {
  for_each = { for k, v in var.version < 60000 ? var.instances_of_5 : var.instances : k => v if local.create && !local.serverless }

  cluster_identifier              = aws_rds_cluster.this[0].id
  identifier                      = try(each.value.identifier, "${var.name}-${each.key}")
  auto_minor_version_upgrade      = try(each.value.auto_minor_version_upgrade, var.auto_minor_version_upgrade)
  ca_cert_identifier              = try(each.value.ca_cert_identifier, var.ca_cert_identifier)
  copy_tags_to_snapshot           = try(each.value.copy_tags_to_snapshot, local.copies)
  db_parameter_group_name         = local.ones ? aws_db_parameter_group.this[0].id : var.db_parameter_group_name
  db_subnet_group_name            = var.db_subnet_group_name
  engine                          = var.engine
  engine_version                  = var.engine_version
  instance_class                  = try(each.value.instance_class, var.instance_class)
  monitoring_interval             = try(each.value.monitoring_interval, local.interval)
  performance_insights_enabled    = try(each.value.performance_insights_enabled, var.performance_insights_enabled)
  performance_insights_kms_key_id = try(each.value.performance_insights_kms_key_id, var.performance_insights_kms_key_id)
  publicly_accessible             = try(each.value.publicly_accessible, var.publicly_accessible)
  tags                            = var.tags
}

data "aws_iam_policy_document" "monitoring_rds_assume_role" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "rds_enhanced_monitoring" {
  count = local.create && var.create_monitoring_role && local.interval > 0 ? 1 : 0

  name                 = var.iam_role_use_name_prefix ? null : var.iam_role_name
  name_prefix          = var.iam_role_use_name_prefix ? "${var.iam_role_name}-" : null
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.monitoring_rds_assume_role.json
  managed_policy_arns  = var.iam_role_managed_policy_arns
  permissions_boundary = var.iam_role_permissions_boundary
  max_session_duration = var.iam_role_max_session_duration
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "rds_enhanced_monitoring" {
  count = length(aws_iam_role.rds_enhanced_monitoring)

  role       = aws_iam_role.rds_enhanced_monitoring[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_security_group" "this" {
  count = local.sg ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : local.sg_name
  name_prefix = var.security_group_use_name_prefix ? "${local.sg_name}-" : null
  description = try(coalesce(var.security_group_description, "Control traffic to/from RDS Aurora ${var.name}"), null)
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, var.security_group_tags, { Name = local.sg_name })
}

resource "aws_security_group_rule" "default_ingress" {
  count = local.sg && var.version < 80000 ? length(var.allowed_security_groups) : 0

  security_group_id        = aws_security_group.this[0].id
  type                     = "ingress"
  description              = "From allowed SGs"
  from_port                = local.port
  to_port                  = local.port
  protocol                 = "tcp"
  source_security_group_id = var.allowed_security_groups[count.index]
}

resource "aws_security_group_rule" "cidr_ingress" {
  count = local.sg && var.version < 80000 && length(var.allowed_cidr_blocks) > 0 ? 1 : 0

  security_group_id = aws_security_group.this[0].id
  type              = "ingress"
  description       = "From allowed CIDRs"
  from_port         = local.port
  to_port           = local.port
  protocol          = "tcp"
  cidr_blocks       = var.allowed_cidr_blocks
}

resource "aws_security_group_rule" "egress" {
  for_each = { for k, v in var.security_group_egress_rules : k => v if local.sg && var.version < 80000 }

  security_group_id        = aws_security_group.this[0].id
  type                     = "egress"
  from_port                = try(each.value.from_port, local.port)
  to_port                  = try(each.value.to_port, local.port)
  protocol                 = try(each.value.protocol, "tcp")
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  source_security_group_id = try(each.value.source_security_group_id, null)
}

resource "aws_security_group_rule" "this" {
  for_each = { for k, v in var.security_group_rules : k => v if local.sg && var.version >= 80000 && !local.ten }

  security_group_id        = aws_security_group.this[0].id
  type                     = try(each.value.type, "ingress")
  from_port                = try(each.value.from_port, local.port)
  to_port                  = try(each.value.to_port, local.port)
  protocol                 = try(each.value.protocol, "tcp")
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  source_security_group_id = try(each.value.source_security_group_id, null)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in var.security_group_ingress_rules : k => v if local.sg && local.ten }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, local.port)
  to_port                      = try(each.value.to_port, local.port)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { for k, v in var.security_group_egress_rules : k => v if local.sg && local.ten }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, local.port)
  to_port                      = try(each.value.to_port, local.port)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.create && local.parameters ? 1 : 0

  name_prefix = "${var.name}-"
  family      = local.ten ? try(var.cluster_parameter_group.family, null) : var.db_cluster_parameter_group_family
  tags        = var.tags

  dynamic "parameter" {
    for_each = coalesce(local.given, [])
    content {
      name         = try(parameter.value.name, parameter.key)
      value        = parameter.value.value
      apply_method = try(parameter.value.apply_method, "immediate")
    }
  }
}

resource "aws_db_parameter_group" "this" {
  count = local.create && local.ones ? 1 : 0

  name_prefix = "${var.name}-"
  family      = local.ten ? try(var.db_parameter_group.family, null) : var.db_parameter_group_family
  tags        = var.tags

  dynamic "parameter" {
    for_each = coalesce(local.given_ones, [])
    content {
      name         = try(parameter.value.name, parameter.key)
      value        = parameter.value.value
      apply_method = try(parameter.value.apply_method, "immediate")
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset([for log in coalesce(var.enabled_cloudwatch_logs_exports, []) : log if local.create && var.create_cloudwatch_log_group])

  name              = "/aws/rds/cluster/${var.name}/${each.value}"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = var.tags
}

output "cluster_arn" { value = try(aws_rds_cluster.this[0].arn, null) }
output "cluster_id" { value = try(aws_rds_cluster.this[0].id, null) }
output "cluster_endpoint" { value = try(aws_rds_cluster.this[0].endpoint, null) }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
