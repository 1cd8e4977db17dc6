# The role of a profile of Fargate; the profile itself no kind reads.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "name" { default = "" }
variable "tags" { default = {} }
variable "create_iam_role" { default = true }
variable "iam_role_name" { default = null }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_attach_cni_policy" { default = true }
variable "iam_role_additional_policies" { default = {} }

data "aws_iam_policy_document" "assume_role_policy" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["eks-fargate-pods.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  count = var.create && var.create_iam_role ? 1 : 0

  name        = null
  name_prefix = "${try(coalesce(var.iam_role_name, var.name), "fargate-profile")}-"
  path        = var.iam_role_path
  # Newer versions let only the account's own profiles assume it.
  assume_role_policy   = var.version >= 210000 ? var.trust_of_21 : data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = var.tags
}

variable "trust_of_21" {}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for name in ["AmazonEKSFargatePodExecutionRolePolicy", var.iam_role_attach_cni_policy ? "AmazonEKS_CNI_Policy" : ""] : name => "arn:aws:iam::aws:policy/${name}" if name != "" && var.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_iam_role_policy_attachment" "additional" {
  for_each = { for k, v in try(tomap(var.iam_role_additional_policies), { for arn in var.iam_role_additional_policies : arn => arn }) : k => v if var.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}
