# A cluster and the log group of the commands that are run in it. Roles and capacity are not said.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_ecs" { default = true }
variable "name" { default = "" }
variable "cluster_name" { default = null }
variable "tags" { default = {} }
variable "configuration" { default = null }
variable "cluster_configuration" { default = null }
variable "setting" { default = null }
variable "cluster_setting" { default = null }
variable "cluster_settings" { default = null }
variable "container_insights" { default = false }
variable "create_cloudwatch_log_group" { default = true }
variable "cloudwatch_log_group_name" { default = null }
variable "cloudwatch_log_group_retention_in_days" { default = 90 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "cloudwatch_log_group_tags" { default = {} }

locals {
  create   = var.create && var.create_ecs
  name     = try(coalesce(var.cluster_name, var.name), "")
  given    = var.configuration != null ? var.configuration : var.cluster_configuration != null ? var.cluster_configuration : {}
  exec     = try(local.given.execute_command_configuration, null)
  log_name = try(coalesce(var.cloudwatch_log_group_name, "/aws/ecs/${local.name}"), "")
  # Before 4.0 the cluster and whether it has insights was all there was.
  four     = var.version >= 40000
  logs     = local.four && local.create && var.create_cloudwatch_log_group
  settings = local.four ? flatten([var.setting != null ? var.setting : var.cluster_setting != null ? var.cluster_setting : var.cluster_settings != null ? var.cluster_settings : [{ name = "containerInsights", value = "enabled" }]]) : [{ name = "containerInsights", value = var.container_insights ? "enabled" : "disabled" }]
}

resource "aws_ecs_cluster" "this" {
  count = local.create ? 1 : 0

  name = local.name
  tags = var.tags

  # The logs of commands go to the module's own group where it makes one.
  dynamic "configuration" {
    for_each = local.logs || local.exec != null ? [coalesce(local.exec, {})] : []
    content {
      execute_command_configuration {
        kms_key_id = try(configuration.value.kms_key_id, null)
        logging    = try(coalesce(configuration.value.logging, "DEFAULT"), "DEFAULT")

        dynamic "log_configuration" {
          for_each = local.logs ? [try(configuration.value.log_configuration, {})] : try([configuration.value.log_configuration], [])
          content {
            cloud_watch_encryption_enabled = try(log_configuration.value.cloud_watch_encryption_enabled, null)
            cloud_watch_log_group_name     = local.logs ? aws_cloudwatch_log_group.this[0].name : try(log_configuration.value.cloud_watch_log_group_name, null)
            s3_bucket_encryption_enabled   = try(log_configuration.value.s3_bucket_encryption_enabled, null)
            s3_bucket_name                 = try(log_configuration.value.s3_bucket_name, null)
          }
        }
      }
    }
  }
  dynamic "setting" {
    for_each = local.settings
    content {
      name  = setting.value.name
      value = setting.value.value
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  count = local.logs ? 1 : 0

  name              = local.log_name
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = merge(var.tags, var.cloudwatch_log_group_tags)
}

output "arn" { value = try(aws_ecs_cluster.this[0].arn, null) }
output "id" { value = try(aws_ecs_cluster.this[0].id, null) }
output "name" { value = local.name }
