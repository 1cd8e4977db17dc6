# A cluster or a group of them that replicate, with log groups and a security group. Users and serverless caches are made by parts that are called
# by themselves.
#
# Never writes aws_security_group: egress, ingress
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_cluster" { default = false }
variable "create_replication_group" { default = true }
variable "create_primary_global_replication_group" { default = false }
variable "create_secondary_global_replication_group" { default = false }
variable "cluster_id" { default = "" }
variable "replication_group_id" { default = null }
variable "description" { default = null }
variable "engine" { default = null }
variable "engine_version" { default = null }
variable "node_type" { default = null }
variable "num_cache_nodes" { default = 1 }
variable "subnet_group_name" { default = null }
variable "create_subnet_group" { default = true }
variable "at_rest_encryption_enabled" { default = true }
variable "transit_encryption_enabled" { default = true }
variable "auto_minor_version_upgrade" { default = null }
variable "automatic_failover_enabled" { default = null }
variable "multi_az_enabled" { default = false }
variable "cluster_mode_enabled" { default = false }
variable "kms_key_arn" { default = null }
variable "snapshot_retention_limit" { default = null }
variable "user_group_ids" { default = null }
variable "log_delivery_configuration" { default = { slow-log = { destination_type = "cloudwatch-logs", log_format = "json" } } }
variable "security_group_ids" { default = [] }
variable "create_security_group" { default = true }
variable "security_group_name" { default = null }
variable "security_group_use_name_prefix" { default = true }
variable "security_group_description" { default = null }
variable "security_group_rules" { default = {} }
variable "security_group_tags" { default = {} }
variable "vpc_id" { default = null }
variable "tags" { default = {} }

# Which engine is taken where none is named.
variable "engine_of_the_module" {}

locals {
  group  = var.create && var.create_security_group
  groups = local.group ? concat(var.security_group_ids, [aws_security_group.this[0].id]) : var.security_group_ids
  port   = var.engine == "memcached" ? 11211 : 6379
  name   = try(coalesce(var.cluster_id, var.replication_group_id), "")
  inside = var.replication_group_id != null
  global = var.create_primary_global_replication_group || var.create_secondary_global_replication_group
}

resource "aws_elasticache_cluster" "this" {
  count = var.create && var.create_cluster && var.engine != "valkey" ? 1 : 0

  cluster_id                 = var.cluster_id
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  engine                     = local.inside ? null : var.engine != null ? var.engine : var.engine_of_the_module
  engine_version             = local.inside ? null : var.engine_version
  node_type                  = local.inside ? null : var.node_type
  num_cache_nodes            = local.inside ? null : var.num_cache_nodes
  replication_group_id       = var.create_replication_group ? try(aws_elasticache_replication_group.this[0].id, var.replication_group_id) : var.replication_group_id
  security_group_ids         = local.inside ? null : local.groups
  snapshot_retention_limit   = local.inside ? null : var.snapshot_retention_limit
  subnet_group_name          = local.inside ? null : var.create_subnet_group ? try(coalesce(var.subnet_group_name, local.name), null) : var.subnet_group_name
  tags                       = var.tags
}

resource "aws_elasticache_replication_group" "this" {
  count = var.create && var.create_replication_group && !local.global ? 1 : 0

  replication_group_id       = var.replication_group_id
  description                = try(coalesce(var.description, "Replication group"), null)
  at_rest_encryption_enabled = var.at_rest_encryption_enabled
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  automatic_failover_enabled = var.multi_az_enabled || var.cluster_mode_enabled ? true : var.automatic_failover_enabled
  kms_key_id                 = var.at_rest_encryption_enabled ? var.kms_key_arn : null
  multi_az_enabled           = var.multi_az_enabled
  node_type                  = var.node_type
  security_group_ids         = local.groups
  snapshot_retention_limit   = var.snapshot_retention_limit
  transit_encryption_enabled = var.transit_encryption_enabled
  user_group_ids             = var.user_group_ids
  tags                       = var.tags
}

resource "aws_elasticache_replication_group" "global" {
  count = var.create && var.create_replication_group && local.global ? 1 : 0

  replication_group_id       = var.replication_group_id
  description                = try(coalesce(var.description, "Replication group"), null)
  at_rest_encryption_enabled = var.create_secondary_global_replication_group ? null : var.at_rest_encryption_enabled
  auto_minor_version_upgrade = var.auto_minor_version_upgrade
  automatic_failover_enabled = var.multi_az_enabled || var.cluster_mode_enabled ? true : var.automatic_failover_enabled
  kms_key_id                 = var.at_rest_encryption_enabled ? var.kms_key_arn : null
  multi_az_enabled           = var.multi_az_enabled
  node_type                  = var.node_type
  security_group_ids         = local.groups
  snapshot_retention_limit   = var.snapshot_retention_limit
  transit_encryption_enabled = var.create_secondary_global_replication_group ? null : var.transit_encryption_enabled
  user_group_ids             = var.user_group_ids
  tags                       = var.tags
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = { for k, v in var.log_delivery_configuration : k => v if var.create && var.engine != "memcached" && try(v.create_cloudwatch_log_group, true) && try(v.destination_type, "") == "cloudwatch-logs" }

  name              = "/aws/elasticache/${try(each.value.cloudwatch_log_group_name, local.name)}"
  retention_in_days = try(each.value.cloudwatch_log_group_retention_in_days, 14)
  kms_key_id        = try(each.value.cloudwatch_log_group_kms_key_id, null)
  tags              = var.tags
}

resource "aws_security_group" "this" {
  count = local.group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : try(coalesce(var.security_group_name, local.name), null)
  name_prefix = var.security_group_use_name_prefix ? "${try(coalesce(var.security_group_name, local.name), "")}-" : null
  description = var.security_group_description
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, var.security_group_tags)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in var.security_group_rules : k => v if local.group && try(v.type, "ingress") == "ingress" }

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
  for_each = { for k, v in var.security_group_rules : k => v if local.group && try(v.type, "ingress") == "egress" }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, null)
  to_port                      = try(each.value.to_port, null)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

output "replication_group_id" { value = try(aws_elasticache_replication_group.this[0].id, aws_elasticache_replication_group.global[0].id, null) }
output "cluster_arn" { value = try(aws_elasticache_cluster.this[0].arn, null) }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
