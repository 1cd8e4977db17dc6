# An instance with the role of its enhanced monitoring and its log groups. SQL Server went by another name before 4.0.
#
# Never writes aws_db_instance: cluster_identifier, db_parameter_group_name
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration, path
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "engine" { default = null }
variable "engine_version" { default = null }
variable "instance_class" { default = null }
variable "allocated_storage" { default = null }
variable "storage_type" { default = null }
variable "storage_encrypted" { default = null }
variable "kms_key_id" { default = null }
variable "identifier" { default = "" }
variable "username" { default = null }
variable "port" { default = null }
variable "iam_database_authentication_enabled" { default = false }
variable "replicate_source_db" { default = null }
variable "vpc_security_group_ids" { default = null }
variable "db_subnet_group_name" { default = null }
variable "parameter_group_name" { default = null }
variable "multi_az" { default = false }
variable "publicly_accessible" { default = false }
variable "ca_cert_identifier" { default = null }
variable "auto_minor_version_upgrade" { default = true }
variable "copy_tags_to_snapshot" { default = null }
variable "performance_insights_enabled" { default = false }
variable "performance_insights_kms_key_id" { default = null }
variable "backup_retention_period" { default = null }
variable "monitoring_interval" { default = 0 }
variable "monitoring_role_arn" { default = null }
variable "monitoring_role_name" { default = "rds-monitoring-role" }
variable "monitoring_role_use_name_prefix" { default = false }
variable "monitoring_role_permissions_boundary" { default = null }
variable "create_monitoring_role" { default = false }
variable "enabled_cloudwatch_logs_exports" { default = [] }
variable "create_cloudwatch_log_group" { default = false }
variable "cloudwatch_log_group_retention_in_days" { default = 7 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "deletion_protection" { default = null }
variable "tags" { default = {} }

locals {
  replica = var.replicate_source_db != null
  other   = var.version < 40000 && try(startswith(var.engine, "sqlserver"), false)
}

resource "aws_db_instance" "this" {
  count = var.create && !local.other ? 1 : 0

  identifier                          = var.identifier
  engine                              = local.replica ? null : var.engine
  engine_version                      = var.engine_version
  instance_class                      = var.instance_class
  allocated_storage                   = var.allocated_storage
  storage_type                        = var.storage_type
  storage_encrypted                   = try(coalesce(var.storage_encrypted, var.version >= 40000), var.version >= 40000)
  kms_key_id                          = var.kms_key_id
  username                            = local.replica ? null : var.username
  port                                = var.port
  iam_database_authentication_enabled = var.iam_database_authentication_enabled
  replicate_source_db                 = var.replicate_source_db
  vpc_security_group_ids              = var.vpc_security_group_ids
  db_subnet_group_name                = var.db_subnet_group_name
  parameter_group_name                = var.parameter_group_name
  multi_az                            = var.multi_az
  publicly_accessible                 = var.publicly_accessible
  ca_cert_identifier                  = var.ca_cert_identifier
  auto_minor_version_upgrade          = var.auto_minor_version_upgrade
  copy_tags_to_snapshot               = try(coalesce(var.copy_tags_to_snapshot, var.version >= 70000), var.version >= 70000)
  performance_insights_enabled        = var.performance_insights_enabled
  performance_insights_kms_key_id     = var.performance_insights_enabled ? var.performance_insights_kms_key_id : null
  backup_retention_period             = var.backup_retention_period
  monitoring_interval                 = var.monitoring_interval
  monitoring_role_arn                 = var.create_monitoring_role ? aws_iam_role.enhanced_monitoring[0].arn : var.monitoring_role_arn
  enabled_cloudwatch_logs_exports     = var.enabled_cloudwatch_logs_exports
  deletion_protection                 = var.deletion_protection
  tags                                = var.tags
}

resource "aws_db_instance" "this_mssql" {
  count = var.create && local.other ? 1 : 0

  identifier                          = var.identifier
  engine                              = local.replica ? null : var.engine
  engine_version                      = var.engine_version
  instance_class                      = var.instance_class
  allocated_storage                   = var.allocated_storage
  storage_type                        = var.storage_type
  storage_encrypted                   = try(coalesce(var.storage_encrypted, var.version >= 40000), var.version >= 40000)
  kms_key_id                          = var.kms_key_id
  username                            = local.replica ? null : var.username
  port                                = var.port
  iam_database_authentication_enabled = var.iam_database_authentication_enabled
  replicate_source_db                 = var.replicate_source_db
  vpc_security_group_ids              = var.vpc_security_group_ids
  db_subnet_group_name                = var.db_subnet_group_name
  parameter_group_name                = var.parameter_group_name
  multi_az                            = var.multi_az
  publicly_accessible                 = var.publicly_accessible
  ca_cert_identifier                  = var.ca_cert_identifier
  auto_minor_version_upgrade          = var.auto_minor_version_upgrade
  copy_tags_to_snapshot               = try(coalesce(var.copy_tags_to_snapshot, var.version >= 70000), var.version >= 70000)
  performance_insights_enabled        = var.performance_insights_enabled
  performance_insights_kms_key_id     = var.performance_insights_enabled ? var.performance_insights_kms_key_id : null
  backup_retention_period             = var.backup_retention_period
  monitoring_interval                 = var.monitoring_interval
  monitoring_role_arn                 = var.create_monitoring_role ? aws_iam_role.enhanced_monitoring[0].arn : var.monitoring_role_arn
  enabled_cloudwatch_logs_exports     = var.enabled_cloudwatch_logs_exports
  deletion_protection                 = var.deletion_protection
  tags                                = var.tags
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset([for log in var.enabled_cloudwatch_logs_exports : log if var.create && var.create_cloudwatch_log_group])

  name              = "/aws/rds/instance/${var.identifier}/${each.value}"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = var.tags
}

data "aws_iam_policy_document" "enhanced_monitoring" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "enhanced_monitoring" {
  count = var.create_monitoring_role ? 1 : 0

  name                 = var.monitoring_role_use_name_prefix ? null : var.monitoring_role_name
  name_prefix          = var.monitoring_role_use_name_prefix ? "${var.monitoring_role_name}-" : null
  assume_role_policy   = data.aws_iam_policy_document.enhanced_monitoring.json
  permissions_boundary = var.monitoring_role_permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "enhanced_monitoring" {
  count = var.create_monitoring_role ? 1 : 0

  role       = aws_iam_role.enhanced_monitoring[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

output "db_instance_arn" { value = try(aws_db_instance.this[0].arn, aws_db_instance.this_mssql[0].arn, null) }
output "db_instance_address" { value = try(aws_db_instance.this[0].address, aws_db_instance.this_mssql[0].address, null) }
output "db_instance_endpoint" { value = try(aws_db_instance.this[0].endpoint, aws_db_instance.this_mssql[0].endpoint, null) }
output "db_instance_identifier" { value = try(aws_db_instance.this[0].identifier, aws_db_instance.this_mssql[0].identifier, null) }
output "db_instance_id" { value = try(aws_db_instance.this[0].id, aws_db_instance.this_mssql[0].id, null) }
