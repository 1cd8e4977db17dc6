# A file system with its policy, backups, mount targets and access points; and the group that guards the mount targets.
#
# Never writes aws_security_group: egress, ingress
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "name" { default = "" }
variable "tags" { default = {} }
variable "availability_zone_name" { default = null }
variable "encrypted" { default = true }
variable "kms_key_arn" { default = null }
variable "kms_key_id" { default = null }
variable "enable_backup_policy" { default = true }
variable "create_backup_policy" { default = true }
variable "attach_policy" { default = true }
variable "policy_statements" { default = {} }
variable "source_policy_documents" { default = [] }
variable "override_policy_documents" { default = [] }
variable "deny_nonsecure_transport" { default = true }
variable "deny_nonsecure_transport_via_mount_target" { default = true }
variable "bypass_policy_lockout_safety_check" { default = null }
variable "mount_targets" { default = {} }
variable "create_security_group" { default = true }
variable "security_group_name" { default = null }
variable "security_group_use_name_prefix" { default = false }
variable "security_group_description" { default = null }
variable "security_group_vpc_id" { default = null }
variable "security_group_rules" { default = {} }
variable "security_group_ingress_rules" { default = {} }
variable "security_group_egress_rules" { default = {} }
variable "access_points" { default = {} }

variable "rules_of_the_policy" {}

locals {
  group = var.create && var.create_security_group && length(var.mount_targets) > 0
}

resource "aws_efs_file_system" "this" {
  count = var.create ? 1 : 0

  availability_zone_name = var.availability_zone_name
  encrypted              = var.encrypted
  kms_key_id             = try(coalesce(var.kms_key_arn, var.kms_key_id), null)
  tags                   = merge(var.tags, { Name = var.name })
}

data "aws_iam_policy_document" "policy" {
  source_policy_documents   = var.source_policy_documents
  override_policy_documents = var.override_policy_documents

  dynamic "statement" {
    for_each = coalesce(var.policy_statements, {})
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, null)
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

  # Since 1.6 clients that come through a mount target are let in.
  dynamic "statement" {
    for_each = var.deny_nonsecure_transport && var.deny_nonsecure_transport_via_mount_target && var.version >= 10006 ? [true] : []
    content {
      sid       = "NonSecureTransportAccessedViaMountTarget"
      effect    = "Allow"
      actions   = ["elasticfilesystem:ClientRootAccess", "elasticfilesystem:ClientWrite", "elasticfilesystem:ClientMount"]
      resources = [try(aws_efs_file_system.this[0].arn, "")]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "Bool"
        variable = "elasticfilesystem:AccessedViaMountTarget"
        values   = ["true"]
      }
    }
  }
  dynamic "statement" {
    for_each = var.deny_nonsecure_transport ? [true] : []
    content {
      sid       = "NonSecureTransport"
      effect    = "Deny"
      actions   = ["*"]
      resources = [try(aws_efs_file_system.this[0].arn, "")]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["false"]
      }
    }
  }
}

resource "aws_efs_file_system_policy" "this" {
  count = var.create && var.attach_policy ? 1 : 0

  file_system_id = aws_efs_file_system.this[0].id
  policy         = data.aws_iam_policy_document.policy.json
}

resource "aws_efs_backup_policy" "this" {
  count = var.create && var.create_backup_policy ? 1 : 0

  file_system_id = aws_efs_file_system.this[0].id

  backup_policy {
    status = var.enable_backup_policy ? "ENABLED" : "DISABLED"
  }
}

resource "aws_efs_mount_target" "this" {
  for_each = { for k, v in var.mount_targets : k => v if var.create }

  file_system_id  = aws_efs_file_system.this[0].id
  subnet_id       = each.value.subnet_id
  security_groups = local.group ? concat([aws_security_group.this[0].id], try(each.value.security_groups, [])) : try(each.value.security_groups, null)
}

resource "aws_security_group" "this" {
  count = local.group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : try(coalesce(var.security_group_name, var.name), null)
  name_prefix = var.security_group_use_name_prefix ? "${try(coalesce(var.security_group_name, var.name), "")}-" : null
  description = var.security_group_description
  vpc_id      = var.security_group_vpc_id
  tags        = var.tags
}

resource "aws_security_group_rule" "this" {
  for_each = { for k, v in var.security_group_rules : k => v if local.group }

  security_group_id        = aws_security_group.this[0].id
  type                     = try(each.value.type, "ingress")
  protocol                 = try(each.value.protocol, "tcp")
  from_port                = try(each.value.from_port, 2049)
  to_port                  = try(each.value.to_port, 2049)
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  self                     = try(each.value.self, null)
  source_security_group_id = try(each.value.source_security_group_id, null)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in var.security_group_ingress_rules : k => v if local.group }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, 2049)
  to_port                      = try(each.value.to_port, 2049)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { for k, v in var.security_group_egress_rules : k => v if local.group }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, 2049)
  to_port                      = try(each.value.to_port, 2049)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_efs_access_point" "this" {
  for_each = { for k, v in var.access_points : k => v if var.create }

  file_system_id = aws_efs_file_system.this[0].id
  tags           = var.tags

  dynamic "posix_user" {
    for_each = try([each.value.posix_user], [])
    content {
      gid = posix_user.value.gid
      uid = posix_user.value.uid
    }
  }
  dynamic "root_directory" {
    for_each = try([each.value.root_directory], [])
    content {
      path = try(root_directory.value.path, null)
    }
  }
}

output "arn" { value = try(aws_efs_file_system.this[0].arn, null) }
output "id" { value = try(aws_efs_file_system.this[0].id, null) }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
