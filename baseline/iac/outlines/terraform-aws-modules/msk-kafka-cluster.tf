# A cluster of brokers with its log group. Who may reach it through policies, and schemas, are left out: no kind reads them.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "name" { default = "msk" }
variable "tags" { default = {} }
variable "kafka_version" { default = null }
variable "number_of_broker_nodes" { default = null }
variable "broker_node_client_subnets" { default = [] }
variable "broker_node_connectivity_info" { default = null }
variable "broker_node_instance_type" { default = null }
variable "broker_node_security_groups" { default = [] }
variable "client_authentication" { default = null }
variable "encryption_at_rest_kms_key_arn" { default = null }
variable "encryption_in_transit_client_broker" { default = null }
variable "encryption_in_transit_in_cluster" { default = null }
variable "enhanced_monitoring" { default = null }
variable "cloudwatch_logs_enabled" { default = false }
variable "cloudwatch_log_group_name" { default = null }
variable "create_cloudwatch_log_group" { default = true }
variable "cloudwatch_log_group_retention_in_days" { default = 0 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "firehose_logs_enabled" { default = false }
variable "firehose_delivery_stream" { default = null }
variable "s3_logs_enabled" { default = false }
variable "s3_logs_bucket" { default = null }
variable "s3_logs_prefix" { default = null }

locals {
  reach = try(coalesce(var.broker_node_connectivity_info, {}), {})
  auth  = try(coalesce(var.client_authentication, {}), {})
}

resource "aws_msk_cluster" "this" {
  count = var.create ? 1 : 0

  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = var.number_of_broker_nodes
  enhanced_monitoring    = var.enhanced_monitoring
  tags                   = var.tags

  broker_node_group_info {
    client_subnets  = var.broker_node_client_subnets
    instance_type   = var.broker_node_instance_type
    security_groups = var.broker_node_security_groups

    dynamic "connectivity_info" {
      for_each = length(local.reach) > 0 ? [local.reach] : []
      content {
        dynamic "public_access" {
          for_each = try([connectivity_info.value.public_access], [])
          content {
            type = try(public_access.value.type, null)
          }
        }
      }
    }
  }
  dynamic "client_authentication" {
    for_each = length(local.auth) > 0 ? [local.auth] : []
    content {
      unauthenticated = try(client_authentication.value.unauthenticated, null)

      dynamic "sasl" {
        for_each = try([client_authentication.value.sasl], [])
        content {
          iam   = try(sasl.value.iam, null)
          scram = try(sasl.value.scram, null)
        }
      }
      dynamic "tls" {
        for_each = try([client_authentication.value.tls], [])
        content {
          certificate_authority_arns = try(tls.value.certificate_authority_arns, null)
        }
      }
    }
  }
  encryption_info {
    encryption_at_rest_kms_key_arn = var.encryption_at_rest_kms_key_arn

    encryption_in_transit {
      client_broker = var.encryption_in_transit_client_broker
      in_cluster    = var.encryption_in_transit_in_cluster
    }
  }
  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = var.cloudwatch_logs_enabled
        log_group = var.cloudwatch_logs_enabled ? try(aws_cloudwatch_log_group.this[0].name, var.cloudwatch_log_group_name) : null
      }
      firehose {
        enabled         = var.firehose_logs_enabled
        delivery_stream = var.firehose_delivery_stream
      }
      s3 {
        enabled = var.s3_logs_enabled
        bucket  = var.s3_logs_bucket
        prefix  = var.s3_logs_prefix
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  count = var.create && var.create_cloudwatch_log_group ? 1 : 0

  name              = try(coalesce(var.cloudwatch_log_group_name, "/aws/msk/${var.name}"), null)
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = var.tags
}

output "arn" { value = try(aws_msk_cluster.this[0].arn, null) }
