# A user with what it signs in with. Before 6.0 its parts were switched by inputs of other names.
#
# Never declares: anything else

variable "version" {}

variable "create_user" { default = true }
variable "create" { default = true }
variable "name" { default = null }
variable "path" { default = "/" }
variable "force_destroy" { default = false }
variable "permissions_boundary" { default = "" }
variable "tags" { default = {} }
variable "create_iam_user_login_profile" { default = null }
variable "create_login_profile" { default = null }
variable "create_iam_access_key" { default = null }
variable "create_access_key" { default = null }
variable "pgp_key" { default = "" }
variable "password_reset_required" { default = null }
variable "policy_arns" { default = [] }
variable "policies" { default = {} }

locals {
  create  = var.create && var.create_user
  profile = var.create_login_profile != null ? var.create_login_profile : var.create_iam_user_login_profile != null ? var.create_iam_user_login_profile : true
  key     = var.create_access_key != null ? var.create_access_key : var.create_iam_access_key != null ? var.create_iam_access_key : true
}

resource "aws_iam_user" "this" {
  count = local.create ? 1 : 0

  name                 = var.name
  path                 = var.path
  force_destroy        = var.force_destroy
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_user_login_profile" "this" {
  count = local.create && local.profile ? 1 : 0

  user    = aws_iam_user.this[0].name
  pgp_key = var.pgp_key
}

resource "aws_iam_access_key" "this" {
  count = local.create && local.key && (var.version >= 60000 || var.pgp_key != "") ? 1 : 0

  user    = aws_iam_user.this[0].name
  pgp_key = var.pgp_key
}

resource "aws_iam_access_key" "this_no_pgp" {
  count = var.version < 60000 && local.create && local.key && var.pgp_key == "" ? 1 : 0

  user = aws_iam_user.this[0].name
}

resource "aws_iam_user_policy_attachment" "this" {
  for_each = { for k, v in var.version < 60000 ? { for arn in var.policy_arns : arn => arn } : var.policies : k => v if local.create }

  user       = aws_iam_user.this[0].name
  policy_arn = each.value
}

output "iam_user_name" { value = try(aws_iam_user.this[0].name, "") }
output "iam_user_arn" { value = try(aws_iam_user.this[0].arn, "") }
output "name" { value = try(aws_iam_user.this[0].name, null) }
output "arn" { value = try(aws_iam_user.this[0].arn, null) }
