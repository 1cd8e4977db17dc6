# A domain with its policy, logs and security group. Its parts for collections are called by themselves.
#
# Never writes aws_opensearch_domain: access_policies, elasticsearch_version
# Never writes aws_security_group: egress, ingress
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "domain_name" { default = "" }
variable "tags" { default = {} }
variable "engine_version" { default = null }
variable "advanced_security_options" { default = { enabled = true, anonymous_auth_enabled = false } }
variable "cluster_config" { default = { dedicated_master_enabled = true } }
variable "cognito_options" { default = {} }
variable "domain_endpoint_options" { default = { enforce_https = true, tls_security_policy = "Policy-Min-TLS-1-2-2019-07" } }
variable "encrypt_at_rest" { default = { enabled = true } }
variable "log_publishing_options" { default = [{ log_type = "INDEX_SLOW_LOGS" }, { log_type = "SEARCH_SLOW_LOGS" }] }
variable "node_to_node_encryption" { default = { enabled = true } }
variable "vpc_options" { default = {} }
variable "enable_access_policy" { default = true }
variable "create_access_policy" { default = true }
variable "access_policies" { default = null }
variable "access_policy_statements" { default = {} }
variable "access_policy_source_policy_documents" { default = [] }
variable "access_policy_override_policy_documents" { default = [] }
variable "create_saml_options" { default = false }
variable "saml_options" { default = {} }
variable "create_cloudwatch_log_groups" { default = true }
variable "cloudwatch_log_group_retention_in_days" { default = 60 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "create_cloudwatch_log_resource_policy" { default = true }
variable "cloudwatch_log_resource_policy_name" { default = null }
variable "create_security_group" { default = true }
variable "security_group_name" { default = null }
variable "security_group_use_name_prefix" { default = true }
variable "security_group_description" { default = null }
variable "security_group_rules" { default = {} }
variable "security_group_tags" { default = {} }

# What the service may write differs between versions; the subnet says which network it stands in.
variable "policy_of_the_logs" {}
variable "vpc_of_the_subnet" {}

locals {
  group  = var.create && var.create_security_group && length(var.vpc_options) > 0
  name   = try(coalesce(var.security_group_name, var.domain_name), "")
  policy = var.create_access_policy && length(flatten([try(values(var.access_policy_statements), var.access_policy_statements), var.access_policy_source_policy_documents, var.access_policy_override_policy_documents])) > 0
}

resource "aws_opensearch_domain" "this" {
  count = var.create ? 1 : 0

  domain_name    = var.domain_name
  engine_version = var.engine_version
  tags           = var.tags

  dynamic "advanced_security_options" {
    for_each = length(var.advanced_security_options) > 0 ? [var.advanced_security_options] : []
    content {
      anonymous_auth_enabled         = try(advanced_security_options.value.anonymous_auth_enabled, false)
      enabled                        = try(advanced_security_options.value.enabled, true)
      internal_user_database_enabled = try(advanced_security_options.value.internal_user_database_enabled, null)
    }
  }
  dynamic "cluster_config" {
    for_each = length(var.cluster_config) > 0 ? [var.cluster_config] : []
    content {
      dedicated_master_count   = try(cluster_config.value.dedicated_master_count, 3)
      dedicated_master_enabled = try(cluster_config.value.dedicated_master_enabled, true)
      dedicated_master_type    = try(cluster_config.value.dedicated_master_type, "c6g.large.search")
      instance_count           = try(cluster_config.value.instance_count, 3)
      instance_type            = try(cluster_config.value.instance_type, "r6g.large.search")
      zone_awareness_enabled   = try(cluster_config.value.zone_awareness_enabled, true)

      dynamic "zone_awareness_config" {
        for_each = try(cluster_config.value.zone_awareness_enabled, true) ? try([cluster_config.value.zone_awareness_config], []) : []
        content {
          availability_zone_count = try(zone_awareness_config.value.availability_zone_count, null)
        }
      }
    }
  }
  dynamic "cognito_options" {
    for_each = length(var.cognito_options) > 0 ? [var.cognito_options] : []
    content {
      enabled          = try(cognito_options.value.enabled, null)
      identity_pool_id = cognito_options.value.identity_pool_id
      role_arn         = cognito_options.value.role_arn
      user_pool_id     = cognito_options.value.user_pool_id
    }
  }
  dynamic "domain_endpoint_options" {
    for_each = length(var.domain_endpoint_options) > 0 ? [var.domain_endpoint_options] : []
    content {
      custom_endpoint                 = try(domain_endpoint_options.value.custom_endpoint, null)
      custom_endpoint_certificate_arn = try(domain_endpoint_options.value.custom_endpoint_certificate_arn, null)
      custom_endpoint_enabled         = try(domain_endpoint_options.value.custom_endpoint_enabled, null)
      enforce_https                   = try(domain_endpoint_options.value.enforce_https, true)
      tls_security_policy             = try(domain_endpoint_options.value.tls_security_policy, "Policy-Min-TLS-1-2-2019-07")
    }
  }
  dynamic "encrypt_at_rest" {
    for_each = length(var.encrypt_at_rest) > 0 ? [var.encrypt_at_rest] : []
    content {
      enabled    = try(encrypt_at_rest.value.enabled, true)
      kms_key_id = try(encrypt_at_rest.value.kms_key_id, null)
    }
  }
  dynamic "log_publishing_options" {
    for_each = var.log_publishing_options
    content {
      cloudwatch_log_group_arn = try(log_publishing_options.value.cloudwatch_log_group_arn, aws_cloudwatch_log_group.this[log_publishing_options.value.log_type].arn, null)
      enabled                  = try(log_publishing_options.value.enabled, true)
      log_type                 = log_publishing_options.value.log_type
    }
  }
  dynamic "node_to_node_encryption" {
    for_each = length(var.node_to_node_encryption) > 0 ? [var.node_to_node_encryption] : []
    content {
      enabled = try(node_to_node_encryption.value.enabled, true)
    }
  }
  dynamic "vpc_options" {
    for_each = length(var.vpc_options) > 0 ? [var.vpc_options] : []
    content {
      security_group_ids = concat(try(vpc_options.value.security_group_ids, []), aws_security_group.this[*].id)
      subnet_ids         = try(vpc_options.value.subnet_ids, null)
    }
  }
}

data "aws_iam_policy_document" "this" {
  source_policy_documents   = var.access_policy_source_policy_documents
  override_policy_documents = var.access_policy_override_policy_documents

  dynamic "statement" {
    for_each = coalesce(var.access_policy_statements, {})
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, ["${try(aws_opensearch_domain.this[0].arn, "")}/*"])
      not_resources = try(statement.value.not_resources, null)

      dynamic "principals" {
        for_each = try(coalesce(statement.value.principals, []), [])
        content {
          type        = principals.value.type
          identifiers = principals.value.identifiers
        }
      }
      dynamic "not_principals" {
        for_each = try(coalesce(statement.value.not_principals, []), [])
        content {
          type        = not_principals.value.type
          identifiers = not_principals.value.identifiers
        }
      }
      dynamic "condition" {
        for_each = concat(try(coalesce(statement.value.condition, []), []), try(coalesce(statement.value.conditions, []), []))
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}

resource "aws_opensearch_domain_policy" "this" {
  count = var.create && var.enable_access_policy && (local.policy || var.access_policies != null) ? 1 : 0

  domain_name     = aws_opensearch_domain.this[0].domain_name
  access_policies = local.policy ? data.aws_iam_policy_document.this.json : var.access_policies
}

resource "aws_opensearch_domain_saml_options" "this" {
  count = var.create && var.create_saml_options ? 1 : 0

  domain_name = aws_opensearch_domain.this[0].domain_name

  saml_options {
    enabled = try(var.saml_options.enabled, null)
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = { for opt in var.log_publishing_options : opt.log_type => opt if try(opt.enabled, true) && var.create && var.create_cloudwatch_log_groups }

  name              = try(each.value.log_group_name, "/aws/opensearch/${var.domain_name}/${each.key}")
  retention_in_days = try(each.value.log_group_retention_in_days, var.cloudwatch_log_group_retention_in_days)
  kms_key_id        = try(each.value.log_group_kms_key_id, var.cloudwatch_log_group_kms_key_id)
  tags              = var.tags
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  count = var.create && var.create_cloudwatch_log_groups && var.create_cloudwatch_log_resource_policy ? 1 : 0

  policy_name     = try(coalesce(var.cloudwatch_log_resource_policy_name, "opensearch-${var.domain_name}"), null)
  policy_document = var.policy_of_the_logs
}

resource "aws_security_group" "this" {
  count = local.group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : local.name
  name_prefix = var.security_group_use_name_prefix ? "${local.name}-" : null
  description = var.security_group_description
  vpc_id      = var.vpc_of_the_subnet
  tags        = merge(var.tags, var.security_group_tags)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in var.security_group_rules : k => v if local.group && try(v.type, "ingress") == "ingress" }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, 443)
  to_port                      = try(each.value.to_port, 443)
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

output "domain_arn" { value = try(aws_opensearch_domain.this[0].arn, null) }
output "domain_id" { value = try(aws_opensearch_domain.this[0].id, null) }
output "domain_endpoint" { value = try(aws_opensearch_domain.this[0].endpoint, null) }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
