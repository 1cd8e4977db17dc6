# A trail. Its name is made of several inputs; before 0.17 defaults changed more than once.
#
# Never writes aws_cloudtrail: advanced_event_selector
# Never declares: anything else

variable "version" {}

variable "enabled" { default = true }
variable "namespace" { default = null }
variable "tenant" { default = null }
variable "environment" { default = null }
variable "stage" { default = null }
variable "name" { default = null }
variable "delimiter" { default = "-" }
variable "attributes" { default = [] }
variable "tags" { default = {} }
variable "enable_logging" { default = true }
variable "s3_bucket_name" { default = "" }
variable "enable_log_file_validation" { default = true }
variable "sns_topic_name" { default = null }
variable "is_multi_region_trail" { default = null }
variable "include_global_service_events" { default = null }
variable "cloud_watch_logs_role_arn" { default = "" }
variable "cloud_watch_logs_group_arn" { default = "" }
variable "kms_key_arn" { default = "" }
variable "is_organization_trail" { default = false }
variable "s3_key_prefix" { default = null }
variable "insight_selector" { default = [] }
variable "event_selector" { default = [] }

variable "default_of_then" {}

locals {
  default = var.version < 17 ? var.default_of_then : true
}

resource "aws_cloudtrail" "default" {
  count = try(coalesce(var.enabled, true), true) ? 1 : 0

  name                          = join(try(coalesce(var.delimiter, "-"), "-"), compact(concat([var.namespace, var.tenant, var.environment, var.stage, var.name], try(coalesce(var.attributes, []), []))))
  enable_logging                = var.enable_logging
  s3_bucket_name                = var.s3_bucket_name
  enable_log_file_validation    = var.enable_log_file_validation
  sns_topic_name                = var.sns_topic_name
  is_multi_region_trail         = var.is_multi_region_trail != null ? var.is_multi_region_trail : local.default
  include_global_service_events = var.include_global_service_events != null ? var.include_global_service_events : local.default
  cloud_watch_logs_role_arn     = var.cloud_watch_logs_role_arn
  cloud_watch_logs_group_arn    = var.cloud_watch_logs_group_arn
  kms_key_id                    = var.kms_key_arn
  is_organization_trail         = var.is_organization_trail
  s3_key_prefix                 = var.s3_key_prefix
  tags                          = var.tags

  dynamic "insight_selector" {
    for_each = coalesce(var.insight_selector, [])
    content {
      insight_type = insight_selector.value.insight_type
    }
  }
  dynamic "event_selector" {
    for_each = coalesce(var.event_selector, [])
    content {
      include_management_events = try(event_selector.value.include_management_events, null)
      read_write_type           = try(event_selector.value.read_write_type, null)

      dynamic "data_resource" {
        for_each = try(event_selector.value.data_resource, [])
        content {
          type   = data_resource.value.type
          values = data_resource.value.values
        }
      }
    }
  }
}

output "cloudtrail_id" { value = try(aws_cloudtrail.default[0].id, "") }
output "cloudtrail_arn" { value = try(aws_cloudtrail.default[0].arn, "") }
