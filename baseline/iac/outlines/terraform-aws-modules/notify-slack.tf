# A topic that tells a channel of Slack through a function.
#
# Never writes aws_sns_topic: application_failure_feedback_role_arn, display_name, fifo_topic, firehose_failure_feedback_role_arn
# Never writes aws_sns_topic: http_failure_feedback_role_arn, policy, sqs_failure_feedback_role_arn
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_sns_topic" { default = true }
variable "sns_topic_name" { default = null }
variable "sns_topic_kms_key_id" { default = "" }
variable "sns_topic_tags" { default = {} }
variable "enable_sns_topic_delivery_status_logs" { default = false }
variable "sns_topic_lambda_feedback_role_arn" { default = "" }
variable "kms_key_arn" { default = "" }
variable "tags" { default = {} }
variable "lambda_function_name" { default = "notify_slack" }
variable "lambda_function_tags" { default = {} }
variable "lambda_role" { default = "" }
variable "iam_role_name_prefix" { default = "lambda" }
variable "iam_role_boundary_policy_arn" { default = null }
variable "iam_role_path" { default = null }
variable "iam_policy_path" { default = null }
variable "iam_role_tags" { default = {} }
variable "lambda_function_vpc_subnet_ids" { default = null }
variable "lambda_function_vpc_security_group_ids" { default = null }
variable "lambda_dead_letter_target_arn" { default = null }
variable "lambda_attach_dead_letter_policy" { default = false }
variable "reserved_concurrent_executions" { default = -1 }
variable "slack_webhook_url" { default = null }
variable "slack_channel" { default = null }
variable "slack_username" { default = null }
variable "slack_emoji" { default = ":aws:" }
variable "log_events" { default = false }
variable "cloudwatch_log_group_retention_in_days" { default = 0 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "cloudwatch_log_group_tags" { default = {} }

# Which Python the function is written for, and who may tell that a message was not delivered.
variable "runtime_of_the_function" {}
variable "role_of_the_feedback" {}

locals {
  topic = try(aws_sns_topic.this[0].arn, "arn:aws:sns:::${var.sns_topic_name}")
}

data "aws_iam_policy_document" "lambda" {
  statement {
    sid       = "AllowWriteToCloudwatchLogs"
    effect    = "Allow"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${try(aws_cloudwatch_log_group.lambda[0].arn, "")}:*"]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn != "" ? [true] : []
    content {
      sid       = "AllowKMSDecrypt"
      effect    = "Allow"
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]
    }
  }
}

resource "aws_cloudwatch_log_group" "lambda" {
  count = var.create ? 1 : 0

  name              = "/aws/lambda/${var.lambda_function_name}"
  retention_in_days = var.cloudwatch_log_group_retention_in_days
  kms_key_id        = var.cloudwatch_log_group_kms_key_id
  tags              = merge(var.tags, var.cloudwatch_log_group_tags)
}

resource "aws_sns_topic" "this" {
  count = var.create && var.create_sns_topic ? 1 : 0

  name              = var.sns_topic_name
  kms_master_key_id = var.sns_topic_kms_key_id
  tags              = merge(var.tags, var.sns_topic_tags)

  lambda_failure_feedback_role_arn = var.enable_sns_topic_delivery_status_logs ? (var.sns_topic_lambda_feedback_role_arn != "" ? var.sns_topic_lambda_feedback_role_arn : var.role_of_the_feedback) : null
}

resource "aws_sns_topic_subscription" "sns_notify_slack" {
  count = var.create ? 1 : 0

  topic_arn = local.topic
  protocol  = "lambda"
  endpoint  = module.lambda.lambda_function_arn
}

module "lambda" {
  source  = "terraform-aws-modules/lambda/aws"
  version = "3.2.0"

  create                            = var.create
  function_name                     = var.lambda_function_name
  runtime                           = var.runtime_of_the_function
  timeout                           = 30
  kms_key_arn                       = var.kms_key_arn
  reserved_concurrent_executions    = var.reserved_concurrent_executions
  publish                           = true
  create_role                       = var.lambda_role == ""
  lambda_role                       = var.lambda_role
  role_name                         = "${var.iam_role_name_prefix}-${var.lambda_function_name}"
  role_permissions_boundary         = var.iam_role_boundary_policy_arn
  role_path                         = var.iam_role_path
  role_tags                         = var.iam_role_tags
  policy_path                       = var.iam_policy_path
  attach_cloudwatch_logs_policy     = false
  attach_policy_json                = true
  policy_json                       = data.aws_iam_policy_document.lambda.json
  use_existing_cloudwatch_log_group = true
  attach_network_policy             = var.lambda_function_vpc_subnet_ids != null
  dead_letter_target_arn            = var.lambda_dead_letter_target_arn
  attach_dead_letter_policy         = var.lambda_attach_dead_letter_policy
  allowed_triggers                  = { AllowExecutionFromSNS = { principal = "sns.amazonaws.com", source_arn = local.topic } }
  vpc_subnet_ids                    = var.lambda_function_vpc_subnet_ids
  vpc_security_group_ids            = var.lambda_function_vpc_security_group_ids
  tags                              = merge(var.tags, var.lambda_function_tags)
  environment_variables = {
    SLACK_WEBHOOK_URL = var.slack_webhook_url
    SLACK_CHANNEL     = var.slack_channel
    SLACK_USERNAME    = var.slack_username
    SLACK_EMOJI       = var.slack_emoji
    LOG_EVENTS        = var.log_events ? "True" : "False"
  }
}

output "slack_topic_arn" { value = local.topic }
output "notify_slack_lambda_function_arn" { value = module.lambda.lambda_function_arn }
