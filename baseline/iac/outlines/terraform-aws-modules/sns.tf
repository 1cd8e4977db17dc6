# A topic, and since 5.0 its policy and subscriptions.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_sns_topic" { default = true } # before 5.0
variable "name" { default = null }
variable "name_prefix" { default = null } # before 5.0
variable "use_name_prefix" { default = false }
variable "display_name" { default = null }
variable "fifo_topic" { default = false }
variable "kms_master_key_id" { default = null }
variable "policy" { default = null } # before 5.0
variable "tags" { default = {} }
variable "topic_policy" { default = null }
variable "create_topic_policy" { default = true }
variable "source_topic_policy_documents" { default = [] }
variable "override_topic_policy_documents" { default = [] }
variable "enable_default_topic_policy" { default = true }
variable "topic_policy_statements" { default = {} }
variable "create_subscription" { default = true }
variable "subscriptions" { default = {} }
variable "application_feedback" { default = {} }
variable "application_failure_feedback_role_arn" { default = null } # before 5.0
variable "firehose_feedback" { default = {} }
variable "firehose_failure_feedback_role_arn" { default = null } # before 5.0
variable "http_feedback" { default = {} }
variable "http_failure_feedback_role_arn" { default = null } # before 5.0
variable "lambda_feedback" { default = {} }
variable "lambda_failure_feedback_role_arn" { default = null } # before 5.0
variable "sqs_feedback" { default = {} }
variable "sqs_failure_feedback_role_arn" { default = null } # before 5.0

# The account that the topic is made in.
variable "account_of_the_provider" {}

locals {
  before = var.version < 50000
  create = var.create && var.create_sns_topic
}

resource "aws_sns_topic" "this" {
  count = local.create ? 1 : 0

  name                                  = var.use_name_prefix ? null : var.name
  name_prefix                           = var.use_name_prefix ? "${var.name}-" : var.name_prefix
  display_name                          = var.display_name
  fifo_topic                            = var.fifo_topic
  kms_master_key_id                     = var.kms_master_key_id
  policy                                = local.before ? var.policy : var.create_topic_policy ? null : var.topic_policy
  tags                                  = var.tags
  application_failure_feedback_role_arn = try(var.application_feedback.failure_role_arn, var.application_failure_feedback_role_arn)
  firehose_failure_feedback_role_arn    = try(var.firehose_feedback.failure_role_arn, var.firehose_failure_feedback_role_arn)
  http_failure_feedback_role_arn        = try(var.http_feedback.failure_role_arn, var.http_failure_feedback_role_arn)
  lambda_failure_feedback_role_arn      = try(var.lambda_feedback.failure_role_arn, var.lambda_failure_feedback_role_arn)
  sqs_failure_feedback_role_arn         = try(var.sqs_feedback.failure_role_arn, var.sqs_failure_feedback_role_arn)
}

data "aws_iam_policy_document" "this" {
  source_policy_documents   = var.source_topic_policy_documents
  override_policy_documents = var.override_topic_policy_documents

  dynamic "statement" {
    for_each = var.enable_default_topic_policy ? [true] : []
    content {
      sid       = "DefaultStatementID"
      effect    = "Allow"
      resources = [try(aws_sns_topic.this[0].arn, "")]
      actions = [
        "sns:Subscribe", "sns:SetTopicAttributes", "sns:RemovePermission", "sns:Publish", "sns:ListSubscriptionsByTopic",
        "sns:GetTopicAttributes", "sns:DeleteTopic", "sns:AddPermission",
      ]
      principals {
        type        = "AWS"
        identifiers = ["*"]
      }
      condition {
        test     = "StringEquals"
        variable = var.version < 70000 ? "AWS:SourceOwner" : "AWS:SourceAccount"
        values   = [var.account_of_the_provider]
      }
    }
  }
  dynamic "statement" {
    for_each = coalesce(var.topic_policy_statements, {})
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, [try(aws_sns_topic.this[0].arn, "")])
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

resource "aws_sns_topic_policy" "this" {
  count = !local.before && local.create && var.create_topic_policy ? 1 : 0

  arn    = aws_sns_topic.this[0].arn
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = { for k, v in var.subscriptions : k => v if local.create && var.create_subscription }

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

output "topic_arn" { value = try(aws_sns_topic.this[0].arn, null) }
output "topic_id" { value = try(aws_sns_topic.this[0].id, null) }
output "topic_name" { value = try(aws_sns_topic.this[0].name, null) }
output "sns_topic_arn" { value = try(aws_sns_topic.this[0].arn, null) }
output "this_sns_topic_arn" { value = try(aws_sns_topic.this[0].arn, null) }
