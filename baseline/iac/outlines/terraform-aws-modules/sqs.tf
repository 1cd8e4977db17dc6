# A queue, and since 4.0 its dead letter queue and the policies of both.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "name" { default = null }
variable "name_prefix" { default = null } # before 4.0
variable "use_name_prefix" { default = false }
variable "fifo_queue" { default = false }
variable "tags" { default = {} }
variable "kms_master_key_id" { default = null }
variable "sqs_managed_sse_enabled" { default = null }
variable "message_retention_seconds" { default = null }
variable "policy" { default = null } # before 4.0
variable "redrive_policy" { default = {} }
variable "create_queue_policy" { default = false }
variable "source_queue_policy_documents" { default = [] }
variable "override_queue_policy_documents" { default = [] }
variable "queue_policy_statements" { default = {} }
variable "create_dlq" { default = false }
variable "dlq_name" { default = null }
variable "dlq_kms_master_key_id" { default = null }
variable "dlq_sqs_managed_sse_enabled" { default = true }
variable "dlq_message_retention_seconds" { default = null }
variable "dlq_tags" { default = {} }
variable "create_dlq_queue_policy" { default = false }
variable "source_dlq_queue_policy_documents" { default = [] }
variable "override_dlq_queue_policy_documents" { default = [] }
variable "dlq_queue_policy_statements" { default = {} }

# When the last versions of 3 learned to say it is not known.
variable "choice_of_the_service" {}

locals {
  # 4.0 encrypts where nothing is said, and takes the policy and the place for dead letters as resources of their own.
  before = var.version < 40000
  managed = (
    var.kms_master_key_id != null ? null :
    var.sqs_managed_sse_enabled != null ? var.sqs_managed_sse_enabled :
    !local.before ? true : var.version < 30002 ? null : var.choice_of_the_service
  )
  name     = try(trimsuffix(var.name, ".fifo"), "")
  dlq_name = try(coalesce(var.dlq_name, "${local.name}-dlq"), "")
  dlq_key  = try(coalesce(var.dlq_kms_master_key_id, var.kms_master_key_id), null)
}

resource "aws_sqs_queue" "this" {
  count = var.create ? 1 : 0

  name                      = var.use_name_prefix ? null : var.name
  name_prefix               = var.use_name_prefix ? "${local.name}-" : var.name_prefix
  fifo_queue                = var.fifo_queue
  kms_master_key_id         = var.kms_master_key_id
  message_retention_seconds = local.before ? try(coalesce(var.message_retention_seconds, 345600), 345600) : var.message_retention_seconds
  policy                    = local.before ? var.policy : null
  redrive_policy            = local.before && try(length(var.redrive_policy) > 0, true) ? try(tostring(var.redrive_policy), jsonencode(var.redrive_policy)) : null
  sqs_managed_sse_enabled   = local.managed
  tags                      = var.tags
}

data "aws_iam_policy_document" "this" {
  source_policy_documents   = var.source_queue_policy_documents
  override_policy_documents = var.override_queue_policy_documents

  dynamic "statement" {
    for_each = coalesce(var.queue_policy_statements, {})
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, [try(aws_sqs_queue.this[0].arn, "")])
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

resource "aws_sqs_queue_policy" "this" {
  count = var.create && var.create_queue_policy ? 1 : 0

  queue_url = aws_sqs_queue.this[0].url
  policy    = data.aws_iam_policy_document.this.json
}

resource "aws_sqs_queue_redrive_policy" "this" {
  count = !local.before && var.create && !var.create_dlq && length(var.redrive_policy) > 0 ? 1 : 0

  queue_url      = aws_sqs_queue.this[0].url
  redrive_policy = jsonencode(var.redrive_policy)
}

resource "aws_sqs_queue_redrive_policy" "dlq" {
  count = !local.before && var.create && var.create_dlq ? 1 : 0

  queue_url      = aws_sqs_queue.this[0].url
  redrive_policy = jsonencode(merge({ deadLetterTargetArn = aws_sqs_queue.dlq[0].arn, maxReceiveCount = 5 }, var.redrive_policy))
}

resource "aws_sqs_queue" "dlq" {
  count = !local.before && var.create && var.create_dlq ? 1 : 0

  name                      = var.use_name_prefix ? null : local.dlq_name
  name_prefix               = var.use_name_prefix ? "${local.dlq_name}-" : null
  fifo_queue                = var.fifo_queue
  kms_master_key_id         = local.dlq_key
  message_retention_seconds = try(coalesce(var.dlq_message_retention_seconds, var.message_retention_seconds), null)
  policy                    = null
  redrive_policy            = null
  sqs_managed_sse_enabled   = local.dlq_key != null ? null : var.dlq_sqs_managed_sse_enabled
  tags                      = merge(var.tags, var.dlq_tags)
}

data "aws_iam_policy_document" "dlq" {
  source_policy_documents   = var.source_dlq_queue_policy_documents
  override_policy_documents = var.override_dlq_queue_policy_documents

  dynamic "statement" {
    for_each = coalesce(var.dlq_queue_policy_statements, {})
    content {
      sid           = try(statement.value.sid, null)
      effect        = try(statement.value.effect, null)
      actions       = try(statement.value.actions, null)
      not_actions   = try(statement.value.not_actions, null)
      resources     = try(statement.value.resources, [try(aws_sqs_queue.dlq[0].arn, "")])
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

resource "aws_sqs_queue_policy" "dlq" {
  count = var.create && var.create_dlq && var.create_dlq_queue_policy ? 1 : 0

  queue_url = aws_sqs_queue.dlq[0].url
  policy    = data.aws_iam_policy_document.dlq.json
}

output "queue_arn" { value = try(aws_sqs_queue.this[0].arn, null) }
output "queue_id" { value = try(aws_sqs_queue.this[0].id, null) }
output "queue_url" { value = try(aws_sqs_queue.this[0].url, null) }
output "queue_name" { value = try(aws_sqs_queue.this[0].name, null) }
output "sqs_queue_arn" { value = try(aws_sqs_queue.this[0].arn, null) }
output "sqs_queue_id" { value = try(aws_sqs_queue.this[0].id, null) }
output "dead_letter_queue_arn" { value = try(aws_sqs_queue.dlq[0].arn, null) }
