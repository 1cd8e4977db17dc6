# A key with its policy and aliases. Keys whose material comes from elsewhere are left out: no kind reads them.
#
# Never writes aws_kms_key: enabled
# Never writes aws_kms_replica_key: customer_master_key_spec, enable_key_rotation, is_enabled, key_usage, multi_region
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_external" { default = false }
variable "create_replica" { default = false }
variable "create_replica_external" { default = false }
variable "description" { default = null }
variable "deletion_window_in_days" { default = null }
variable "customer_master_key_spec" { default = null }
variable "enable_key_rotation" { default = true }
variable "is_enabled" { default = null }
variable "key_usage" { default = null }
variable "multi_region" { default = false }
variable "primary_key_arn" { default = null }
variable "policy" { default = null }
variable "tags" { default = {} }
variable "aliases" { default = [] }
variable "computed_aliases" { default = {} }
variable "aliases_use_name_prefix" { default = false }
variable "enable_default_policy" { default = true }
variable "key_owners" { default = [] }
variable "key_administrators" { default = [] }
variable "key_users" { default = [] }
variable "key_service_users" { default = [] }
variable "key_service_roles_for_autoscaling" { default = [] }
variable "key_symmetric_encryption_users" { default = [] }
variable "key_hmac_users" { default = [] }
variable "key_asymmetric_public_encryption_users" { default = [] }
variable "key_asymmetric_sign_verify_users" { default = [] }
variable "enable_route53_dnssec" { default = false }
variable "key_statements" { default = [] }
variable "source_policy_documents" { default = [] }
variable "override_policy_documents" { default = [] }

# The account that the key is made in.
variable "account_of_the_provider" {}

locals {
  policy = var.policy != null && var.policy != "" ? var.policy : data.aws_iam_policy_document.this.json
  key    = try(aws_kms_key.this[0].key_id, aws_kms_replica_key.this[0].key_id, "")
}

resource "aws_kms_key" "this" {
  count = var.create && !var.create_external && !var.create_replica && !var.create_replica_external ? 1 : 0

  description              = var.description
  deletion_window_in_days  = var.deletion_window_in_days
  customer_master_key_spec = var.customer_master_key_spec
  enable_key_rotation      = var.enable_key_rotation
  is_enabled               = var.is_enabled
  key_usage                = var.key_usage
  multi_region             = var.multi_region
  policy                   = local.policy
  tags                     = var.tags
}

resource "aws_kms_replica_key" "this" {
  count = var.create && var.create_replica && !var.create_external && !var.create_replica_external ? 1 : 0

  description     = var.description
  enabled         = var.is_enabled
  primary_key_arn = var.primary_key_arn
  policy          = local.policy
  tags            = var.tags
}

data "aws_iam_policy_document" "this" {
  source_policy_documents   = var.source_policy_documents
  override_policy_documents = var.override_policy_documents

  dynamic "statement" {
    for_each = var.enable_default_policy ? [true] : []
    content {
      sid       = "Default"
      actions   = ["kms:*"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${var.account_of_the_provider}:root"]
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_owners) > 0 ? [true] : []
    content {
      sid       = "KeyOwner"
      actions   = ["kms:*"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_owners
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_administrators) > 0 ? [true] : []
    content {
      sid       = "KeyAdministration"
      actions   = ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:ReplicateKey", "kms:ImportKeyMaterial"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_administrators
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_users) > 0 ? [true] : []
    content {
      sid       = "KeyUsage"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_users
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_service_users) > 0 ? [true] : []
    content {
      sid       = "KeyServiceUsage"
      actions   = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_service_users
      }
      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_service_roles_for_autoscaling) > 0 ? [true] : []
    content {
      sid       = "KeyServiceRolesASG"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_service_roles_for_autoscaling
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_service_roles_for_autoscaling) > 0 ? [true] : []
    content {
      sid       = "KeyServiceRolesASGPersistentVol"
      actions   = ["kms:CreateGrant"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_service_roles_for_autoscaling
      }
      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_symmetric_encryption_users) > 0 ? [true] : []
    content {
      sid       = "KeySymmetricEncryption"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_symmetric_encryption_users
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_hmac_users) > 0 ? [true] : []
    content {
      sid       = "KeyHMAC"
      actions   = ["kms:DescribeKey", "kms:GenerateMac", "kms:VerifyMac"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_hmac_users
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_asymmetric_public_encryption_users) > 0 ? [true] : []
    content {
      sid       = "KeyAsymmetricPublicEncryption"
      actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:DescribeKey", "kms:GetPublicKey"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_asymmetric_public_encryption_users
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_asymmetric_sign_verify_users) > 0 ? [true] : []
    content {
      sid       = "KeyAsymmetricSignVerify"
      actions   = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign", "kms:Verify"]
      resources = ["*"]
      principals {
        type        = "AWS"
        identifiers = var.key_asymmetric_sign_verify_users
      }
    }
  }
  dynamic "statement" {
    for_each = var.enable_route53_dnssec ? [true] : []
    content {
      sid       = "Route53DnssecService"
      actions   = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = ["dnssec-route53.amazonaws.com"]
      }
    }
  }
  dynamic "statement" {
    for_each = var.enable_route53_dnssec ? [true] : []
    content {
      sid       = "Route53DnssecGrant"
      actions   = ["kms:CreateGrant"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = ["dnssec-route53.amazonaws.com"]
      }
      condition {
        test     = "Bool"
        variable = "kms:GrantIsForAWSResource"
        values   = ["true"]
      }
    }
  }
  dynamic "statement" {
    for_each = coalesce(var.key_statements, [])
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, ["*"])
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

resource "aws_kms_alias" "this" {
  for_each = { for k, v in merge({ for name in var.aliases : name => { name = name } }, var.computed_aliases) : k => v if var.create }

  name          = var.aliases_use_name_prefix ? null : "alias/${each.value.name}"
  name_prefix   = var.aliases_use_name_prefix ? "alias/${each.value.name}-" : null
  target_key_id = local.key
}

output "key_arn" { value = try(aws_kms_key.this[0].arn, aws_kms_replica_key.this[0].arn, null) }
output "key_id" { value = local.key }
