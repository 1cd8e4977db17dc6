# A group with its users and policies; only before 6.0. What users may do with their own credentials is not said.
#
# Never declares: anything else

variable "version" {}

variable "create_group" { default = true }
variable "name" { default = "" }
variable "path" { default = "/" }
variable "group_users" { default = [] }
variable "attach_iam_self_management_policy" { default = true }
variable "custom_group_policy_arns" { default = [] }
variable "custom_group_policies" { default = [] }
variable "tags" { default = {} }

variable "policy_of_self_management" {}

locals {
  group = try(aws_iam_group.this[0].id, var.name)
}

resource "aws_iam_group" "this" {
  count = var.create_group ? 1 : 0

  name = var.name
  path = var.path
}

resource "aws_iam_group_membership" "this" {
  count = length(var.group_users) > 0 ? 1 : 0

  group = local.group
  name  = var.name
  users = var.group_users
}

resource "aws_iam_group_policy_attachment" "iam_self_management" {
  count = var.attach_iam_self_management_policy ? 1 : 0

  group      = local.group
  policy_arn = aws_iam_policy.iam_self_management[0].arn
}

resource "aws_iam_group_policy_attachment" "custom_arns" {
  count = length(var.custom_group_policy_arns)

  group      = local.group
  policy_arn = var.custom_group_policy_arns[count.index]
}

resource "aws_iam_group_policy_attachment" "custom" {
  count = length(var.custom_group_policies)

  group      = local.group
  policy_arn = aws_iam_policy.custom[count.index].arn
}

resource "aws_iam_policy" "iam_self_management" {
  count = var.attach_iam_self_management_policy ? 1 : 0

  name        = null
  name_prefix = "IAMSelfManagement-"
  policy      = var.policy_of_self_management
  tags        = var.tags
}

resource "aws_iam_policy" "custom" {
  count = length(var.custom_group_policies)

  name   = var.custom_group_policies[count.index]["name"]
  policy = var.custom_group_policies[count.index]["policy"]
  tags   = var.tags
}

output "group_name" { value = var.name }
output "group_arn" { value = try(aws_iam_group.this[0].arn, "") }
