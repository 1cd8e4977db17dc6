# A repository with its policies, and what the registry scans.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_repository" { default = true }
variable "repository_type" { default = "private" }
variable "repository_name" { default = "" }
variable "tags" { default = {} }
variable "repository_image_tag_mutability" { default = "IMMUTABLE" }
variable "repository_encryption_type" { default = null }
variable "repository_kms_key" { default = null }
variable "repository_image_scan_on_push" { default = true }
variable "repository_force_delete" { default = null }
variable "attach_repository_policy" { default = true }
variable "create_repository_policy" { default = true }
variable "repository_policy" { default = null }
variable "repository_read_access_arns" { default = [] }
variable "repository_read_write_access_arns" { default = [] }
variable "repository_lambda_read_access_arns" { default = [] }
variable "repository_policy_statements" { default = {} }
variable "create_lifecycle_policy" { default = true }
variable "repository_lifecycle_policy" { default = "" }
variable "manage_registry_scanning_configuration" { default = false }
variable "registry_scan_type" { default = "ENHANCED" }
variable "registry_scan_rules" { default = [] }

# The account that the repository is made in.
variable "account_of_the_provider" {}

locals {
  exists  = var.create && var.create_repository && var.repository_type == "private"
  readers = concat(var.repository_read_access_arns, var.repository_read_write_access_arns)
}

resource "aws_ecr_repository" "this" {
  count = local.exists ? 1 : 0

  name                 = var.repository_name
  image_tag_mutability = var.repository_image_tag_mutability
  force_delete         = var.repository_force_delete
  tags                 = var.tags

  encryption_configuration {
    encryption_type = var.repository_encryption_type
    kms_key         = var.repository_kms_key
  }
  image_scanning_configuration {
    scan_on_push = var.repository_image_scan_on_push
  }
}

data "aws_iam_policy_document" "repository" {
  statement {
    sid = "PrivateReadOnly"
    actions = [
      "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImageScanFindings",
      "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy",
      "ecr:GetLifecyclePolicyPreview", "ecr:GetRepositoryPolicy", "ecr:ListImages", "ecr:ListTagsForResource",
    ]
    principals {
      type        = "AWS"
      identifiers = length(local.readers) > 0 ? local.readers : ["arn:aws:iam::${var.account_of_the_provider}:root"]
    }
  }
  dynamic "statement" {
    for_each = length(var.repository_lambda_read_access_arns) > 0 ? [true] : []
    content {
      sid     = "PrivateLambdaReadOnly"
      actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      principals {
        type        = "Service"
        identifiers = ["lambda.amazonaws.com"]
      }
      condition {
        test     = "StringLike"
        variable = "aws:sourceArn"
        values   = var.repository_lambda_read_access_arns
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.repository_read_write_access_arns) > 0 ? [true] : []
    content {
      sid     = "ReadWrite"
      actions = ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]
      principals {
        type        = "AWS"
        identifiers = var.repository_read_write_access_arns
      }
    }
  }
  dynamic "statement" {
    for_each = coalesce(var.repository_policy_statements, {})
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
}

resource "aws_ecr_repository_policy" "this" {
  count = local.exists && var.attach_repository_policy ? 1 : 0

  repository = aws_ecr_repository.this[0].name
  policy     = var.create_repository_policy ? data.aws_iam_policy_document.repository.json : var.repository_policy
}

resource "aws_ecr_lifecycle_policy" "this" {
  count = local.exists && var.create_lifecycle_policy ? 1 : 0

  repository = aws_ecr_repository.this[0].name
  policy     = var.repository_lifecycle_policy
}

resource "aws_ecrpublic_repository" "this" {
  count = var.create && var.create_repository && var.repository_type == "public" ? 1 : 0

  repository_name = var.repository_name
  tags            = var.tags
}

resource "aws_ecr_registry_scanning_configuration" "this" {
  count = var.create && var.manage_registry_scanning_configuration ? 1 : 0

  scan_type = var.registry_scan_type

  dynamic "rule" {
    for_each = coalesce(var.registry_scan_rules, [])
    content {
      scan_frequency = rule.value.scan_frequency

      dynamic "repository_filter" {
        for_each = flatten([rule.value.filter])
        content {
          filter      = try(repository_filter.value.filter, repository_filter.value)
          filter_type = try(repository_filter.value.filter_type, rule.value.filter_type, "WILDCARD")
        }
      }
    }
  }
}

output "repository_arn" { value = try(aws_ecr_repository.this[0].arn, aws_ecrpublic_repository.this[0].arn, null) }
output "repository_name" { value = var.repository_name }
output "repository_url" { value = try(aws_ecr_repository.this[0].repository_url, aws_ecrpublic_repository.this[0].repository_uri, null) }
