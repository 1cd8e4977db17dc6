# A table; the one that scales by itself goes by another name. Before 5.0 recovery and encryption were switched by inputs of their own.
#
# Never declares: anything else

variable "version" {}

variable "create_table" { default = true }
variable "create" { default = true }
variable "name" { default = null }
variable "hash_key" { default = null }
variable "range_key" { default = null }
variable "billing_mode" { default = "PAY_PER_REQUEST" }
variable "deletion_protection_enabled" { default = null }
variable "tags" { default = {} }
variable "autoscaling_enabled" { default = false }
variable "ignore_changes_global_secondary_index" { default = false }
variable "point_in_time_recovery_enabled" { default = null }
variable "point_in_time_recovery" { default = null }
variable "server_side_encryption_enabled" { default = false }
variable "server_side_encryption_kms_key_arn" { default = null }
variable "server_side_encryption" { default = null }
variable "resource_policy" { default = null }

locals {
  create = var.create && var.create_table
}

resource "aws_dynamodb_table" "this" {
  count = local.create && !var.autoscaling_enabled ? 1 : 0

  name                        = var.name
  hash_key                    = var.hash_key
  range_key                   = var.range_key
  billing_mode                = var.billing_mode
  deletion_protection_enabled = var.deletion_protection_enabled
  tags                        = merge(var.tags, { Name = var.name })

  dynamic "point_in_time_recovery" {
    for_each = var.version < 50000 || try(var.point_in_time_recovery_enabled, null) != null || var.point_in_time_recovery != null ? [true] : []
    content {
      enabled = var.point_in_time_recovery != null ? try(var.point_in_time_recovery.enabled, null) : coalesce(var.point_in_time_recovery_enabled, false)
    }
  }
  dynamic "server_side_encryption" {
    for_each = var.version < 50000 || var.server_side_encryption != null || var.server_side_encryption_enabled ? [true] : []
    content {
      enabled     = try(var.server_side_encryption.enabled, var.server_side_encryption_enabled)
      kms_key_arn = try(var.server_side_encryption.kms_key_arn, var.server_side_encryption_kms_key_arn)
    }
  }
}

resource "aws_dynamodb_table" "autoscaled" {
  count = local.create && var.autoscaling_enabled && !var.ignore_changes_global_secondary_index ? 1 : 0

  name                        = var.name
  hash_key                    = var.hash_key
  range_key                   = var.range_key
  billing_mode                = var.billing_mode
  deletion_protection_enabled = var.deletion_protection_enabled
  tags                        = merge(var.tags, { Name = var.name })

  dynamic "point_in_time_recovery" {
    for_each = var.version < 50000 || try(var.point_in_time_recovery_enabled, null) != null || var.point_in_time_recovery != null ? [true] : []
    content {
      enabled = var.point_in_time_recovery != null ? try(var.point_in_time_recovery.enabled, null) : coalesce(var.point_in_time_recovery_enabled, false)
    }
  }
  dynamic "server_side_encryption" {
    for_each = var.version < 50000 || var.server_side_encryption != null || var.server_side_encryption_enabled ? [true] : []
    content {
      enabled     = try(var.server_side_encryption.enabled, var.server_side_encryption_enabled)
      kms_key_arn = try(var.server_side_encryption.kms_key_arn, var.server_side_encryption_kms_key_arn)
    }
  }
}

resource "aws_dynamodb_table" "autoscaled_gsi_ignore" {
  count = local.create && var.autoscaling_enabled && var.ignore_changes_global_secondary_index ? 1 : 0

  name                        = var.name
  hash_key                    = var.hash_key
  range_key                   = var.range_key
  billing_mode                = var.billing_mode
  deletion_protection_enabled = var.deletion_protection_enabled
  tags                        = merge(var.tags, { Name = var.name })

  dynamic "point_in_time_recovery" {
    for_each = var.version < 50000 || try(var.point_in_time_recovery_enabled, null) != null || var.point_in_time_recovery != null ? [true] : []
    content {
      enabled = var.point_in_time_recovery != null ? try(var.point_in_time_recovery.enabled, null) : coalesce(var.point_in_time_recovery_enabled, false)
    }
  }
  dynamic "server_side_encryption" {
    for_each = var.version < 50000 || var.server_side_encryption != null || var.server_side_encryption_enabled ? [true] : []
    content {
      enabled     = try(var.server_side_encryption.enabled, var.server_side_encryption_enabled)
      kms_key_arn = try(var.server_side_encryption.kms_key_arn, var.server_side_encryption_kms_key_arn)
    }
  }
}

resource "aws_dynamodb_resource_policy" "this" {
  count = local.create && var.resource_policy != null ? 1 : 0

  resource_arn = try(aws_dynamodb_table.this[0].arn, aws_dynamodb_table.autoscaled[0].arn, aws_dynamodb_table.autoscaled_gsi_ignore[0].arn, "")
  policy       = var.resource_policy
}

output "dynamodb_table_arn" { value = try(aws_dynamodb_table.this[0].arn, aws_dynamodb_table.autoscaled[0].arn, aws_dynamodb_table.autoscaled_gsi_ignore[0].arn, "") }
output "dynamodb_table_id" { value = try(aws_dynamodb_table.this[0].id, aws_dynamodb_table.autoscaled[0].id, aws_dynamodb_table.autoscaled_gsi_ignore[0].id, "") }
