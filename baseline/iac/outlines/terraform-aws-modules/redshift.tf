# A cluster with its parameters, logs and the role that its schedules act with.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never writes aws_iam_role_policy: tags
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "cluster_identifier" { default = "" }
variable "tags" { default = {} }
variable "allow_version_upgrade" { default = null }
variable "automated_snapshot_retention_period" { default = null }
variable "create_subnet_group" { default = true }
variable "subnet_group_name" { default = null }
variable "database_name" { default = null }
variable "encrypted" { default = true }
variable "enhanced_vpc_routing" { default = null }
variable "kms_key_arn" { default = null }
variable "logging" { default = {} }
variable "master_username" { default = "awsuser" }
variable "multi_az" { default = null }
variable "node_type" { default = "" }
variable "number_of_nodes" { default = 1 }
variable "port" { default = 5439 }
variable "publicly_accessible" { default = false }
variable "vpc_security_group_ids" { default = [] }
variable "create_parameter_group" { default = true }
variable "parameter_group_name" { default = null }
variable "parameter_group_family" { default = "redshift-1.0" }
variable "parameter_group_parameters" { default = {} }
variable "parameter_group_tags" { default = {} }
variable "create_cloudwatch_log_group" { default = false }
variable "cloudwatch_log_group_retention_in_days" { default = 0 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "create_scheduled_action_iam_role" { default = false }
variable "iam_role_name" { default = null }
variable "iam_role_use_name_prefix" { default = true }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }

# Before 4.0 inputs had other names and defaults.
variable "inputs_of_3" {}

locals {
  role = try(coalesce(var.iam_role_name, "${var.cluster_identifier}-scheduled-action"), "")
  logs = coalesce(var.logging, {})
  # 6.0 took logs out of the cluster.
  apart = var.version >= 60000
}

resource "aws_redshift_cluster" "this" {
  count = var.create ? 1 : 0

  cluster_identifier                  = var.cluster_identifier
  allow_version_upgrade               = var.version < 40000 ? var.inputs_of_3 : var.allow_version_upgrade
  automated_snapshot_retention_period = var.version < 40000 ? var.inputs_of_3 : var.automated_snapshot_retention_period
  cluster_subnet_group_name           = var.create_subnet_group ? try(coalesce(var.subnet_group_name, var.cluster_identifier), null) : var.subnet_group_name
  database_name                       = var.version < 40000 ? var.inputs_of_3 : var.database_name
  encrypted                           = var.version < 40000 ? var.inputs_of_3 : var.encrypted
  enhanced_vpc_routing                = var.version < 40000 ? var.inputs_of_3 : var.enhanced_vpc_routing
  kms_key_id                          = var.version < 40000 ? var.inputs_of_3 : var.kms_key_arn
  master_username                     = var.version < 40000 ? var.inputs_of_3 : var.master_username
  multi_az                            = var.multi_az
  node_type                           = var.node_type
  number_of_nodes                     = var.number_of_nodes
  port                                = var.version < 40000 ? var.inputs_of_3 : var.port
  publicly_accessible                 = var.version < 40000 ? var.inputs_of_3 : var.publicly_accessible
  vpc_security_group_ids              = var.vpc_security_group_ids
  tags                                = var.tags

  dynamic "logging" {
    for_each = var.version < 40000 ? var.inputs_of_3 : !local.apart && can(local.logs.enable) ? [local.logs] : []
    content {
      enable               = try(logging.value.enable, null)
      bucket_name          = try(logging.value.bucket_name, null)
      log_destination_type = try(logging.value.log_destination_type, null)
      log_exports          = try(logging.value.log_exports, null)
      s3_key_prefix        = try(logging.value.s3_key_prefix, null)
    }
  }
}

resource "aws_redshift_logging" "this" {
  count = var.create && local.apart && length(keys(local.logs)) > 0 ? 1 : 0

  cluster_identifier   = aws_redshift_cluster.this[0].id
  bucket_name          = try(local.logs.bucket_name, null)
  log_destination_type = try(local.logs.log_destination_type, null)
  log_exports          = try(local.logs.log_exports, null)
  s3_key_prefix        = try(local.logs.s3_key_prefix, null)
}

resource "aws_redshift_parameter_group" "this" {
  count = var.create && var.create_parameter_group ? 1 : 0

  name   = try(coalesce(var.parameter_group_name, replace(var.cluster_identifier, ".", "-")), null)
  family = var.parameter_group_family
  tags   = merge(var.tags, var.parameter_group_tags)

  dynamic "parameter" {
    for_each = var.version < 40000 ? var.inputs_of_3 : var.parameter_group_parameters
    content {
      name  = try(parameter.value.name, parameter.key)
      value = parameter.value.value
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset([for log in try(coalesce(local.logs.log_exports, []), []) : log if var.create && var.create_cloudwatch_log_group])

  name              = "/aws/redshift/cluster/${var.cluster_identifier}/${each.value}"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = var.tags
}

data "aws_iam_policy_document" "scheduled_action_assume" {
  statement {
    sid     = "ScheduleActionAssume"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.redshift.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "scheduled_action" {
  count = var.create && var.create_scheduled_action_iam_role ? 1 : 0

  name                 = var.iam_role_use_name_prefix ? null : local.role
  name_prefix          = var.iam_role_use_name_prefix ? "${local.role}-" : null
  path                 = var.iam_role_path
  permissions_boundary = var.iam_role_permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.scheduled_action_assume.json
  tags                 = var.tags
}

data "aws_iam_policy_document" "scheduled_action" {
  statement {
    sid       = "ModifyCluster"
    actions   = ["redshift:PauseCluster", "redshift:ResumeCluster", "redshift:ResizeCluster"]
    resources = [try(aws_redshift_cluster.this[0].arn, "")]
  }
}

resource "aws_iam_role_policy" "scheduled_action" {
  count = var.create && var.create_scheduled_action_iam_role ? 1 : 0

  name   = var.iam_role_name
  role   = aws_iam_role.scheduled_action[0].name
  policy = data.aws_iam_policy_document.scheduled_action.json
}

output "cluster_id" { value = try(aws_redshift_cluster.this[0].id, null) }
output "cluster_arn" { value = try(aws_redshift_cluster.this[0].arn, null) }
output "cluster_endpoint" { value = try(aws_redshift_cluster.this[0].endpoint, null) }
