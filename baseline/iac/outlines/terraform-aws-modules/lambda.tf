# A function with its role, log group, triggers and address. Layers and packages are left out: no kind reads them.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_function" { default = true }
variable "create_layer" { default = false }
variable "create_role" { default = true }
variable "function_name" { default = "" }
variable "lambda_role" { default = "" }
variable "package_type" { default = "Zip" }
variable "runtime" { default = "" }
variable "handler" { default = "" }
variable "timeout" { default = 3 }
variable "layers" { default = null }
variable "publish" { default = false }
variable "lambda_at_edge" { default = false }
variable "kms_key_arn" { default = null }
variable "code_signing_config_arn" { default = null }
variable "reserved_concurrent_executions" { default = -1 }
variable "environment_variables" { default = {} }
variable "dead_letter_target_arn" { default = null }
variable "tracing_mode" { default = null }
variable "vpc_subnet_ids" { default = null }
variable "vpc_security_group_ids" { default = null }
variable "tags" { default = {} }
variable "use_existing_cloudwatch_log_group" { default = false }
variable "cloudwatch_logs_retention_in_days" { default = null }
variable "cloudwatch_logs_kms_key_id" { default = null }
variable "cloudwatch_logs_tags" { default = {} }
variable "logging_log_group" { default = null }
variable "create_async_event_config" { default = false }
variable "create_current_version_async_event_config" { default = true }
variable "create_unqualified_alias_async_event_config" { default = true }
variable "destination_on_failure" { default = null }
variable "destination_on_success" { default = null }
variable "allowed_triggers" { default = {} }
variable "create_current_version_allowed_triggers" { default = true }
variable "create_unqualified_alias_allowed_triggers" { default = true }
variable "create_lambda_function_url" { default = false }
variable "authorization_type" { default = "NONE" }
variable "create_unqualified_alias_lambda_function_url" { default = true }
variable "cors" { default = {} }
variable "role_name" { default = null }
variable "role_path" { default = null }
variable "role_permissions_boundary" { default = null }
variable "role_tags" { default = {} }
variable "policy_path" { default = null }
variable "policy_name" { default = null }
variable "trusted_entities" { default = [] }
variable "assume_role_policy_statements" { default = {} }
variable "attach_cloudwatch_logs_policy" { default = true }
variable "attach_dead_letter_policy" { default = false }
variable "attach_network_policy" { default = false }
variable "attach_tracing_policy" { default = false }
variable "attach_async_event_policy" { default = false }
variable "attach_policy_json" { default = false }
variable "policy_json" { default = null }
variable "attach_policy_jsons" { default = false }
variable "number_of_policy_jsons" { default = 0 }
variable "policy_jsons" { default = [] }
variable "attach_policy" { default = false }
variable "policy" { default = null }
variable "attach_policies" { default = false }
variable "number_of_policies" { default = 0 }
variable "policies" { default = [] }
variable "attach_policy_statements" { default = false }
variable "policy_statements" { default = {} }

# What AWS's own policies say that the module copies.
variable "policy_of_aws" {}

locals {
  function = var.create && var.create_function && !var.create_layer
  role     = local.function && var.create_role
  name     = try(coalesce(var.role_name, var.function_name), "*")
  policy   = try(coalesce(var.policy_name, local.name), "*")
  own_logs = local.function && !var.use_existing_cloudwatch_log_group
}

resource "aws_lambda_function" "this" {
  count = local.function ? 1 : 0

  function_name                  = var.function_name
  role                           = var.create_role ? aws_iam_role.lambda[0].arn : var.lambda_role
  package_type                   = var.package_type
  runtime                        = var.package_type != "Zip" ? null : var.runtime
  handler                        = var.package_type != "Zip" ? null : var.handler
  timeout                        = var.lambda_at_edge ? min(var.timeout, 30) : var.timeout
  layers                         = var.layers
  kms_key_arn                    = var.kms_key_arn
  code_signing_config_arn        = var.code_signing_config_arn
  reserved_concurrent_executions = var.reserved_concurrent_executions
  tags                           = var.tags

  dynamic "environment" {
    for_each = length(keys(var.environment_variables)) == 0 ? [] : [true]
    content {
      variables = var.environment_variables
    }
  }
  dynamic "dead_letter_config" {
    for_each = var.dead_letter_target_arn == null ? [] : [true]
    content {
      target_arn = var.dead_letter_target_arn
    }
  }
  dynamic "tracing_config" {
    for_each = var.tracing_mode == null ? [] : [true]
    content {
      mode = var.tracing_mode
    }
  }
  dynamic "vpc_config" {
    for_each = var.vpc_subnet_ids != null && var.vpc_security_group_ids != null ? [true] : []
    content {
      subnet_ids         = var.vpc_subnet_ids
      security_group_ids = var.vpc_security_group_ids
    }
  }
}

resource "aws_cloudwatch_log_group" "lambda" {
  count = local.own_logs ? 1 : 0

  name              = try(coalesce(var.logging_log_group, "/aws/lambda/${var.lambda_at_edge ? "us-east-1." : ""}${var.function_name}"), null)
  retention_in_days = var.cloudwatch_logs_retention_in_days
  kms_key_id        = var.cloudwatch_logs_kms_key_id
  tags              = merge(var.tags, var.cloudwatch_logs_tags)
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = { for k, v in { current_version = var.create_current_version_async_event_config, unqualified_alias = var.create_unqualified_alias_async_event_config } : k => v if v && local.function && var.create_async_event_config }

  function_name = aws_lambda_function.this[0].function_name
  qualifier     = each.key == "current_version" ? aws_lambda_function.this[0].version : null

  dynamic "destination_config" {
    for_each = var.destination_on_failure != null || var.destination_on_success != null ? [true] : []
    content {
      dynamic "on_failure" {
        for_each = var.destination_on_failure != null ? [true] : []
        content {
          destination = var.destination_on_failure
        }
      }
      dynamic "on_success" {
        for_each = var.destination_on_success != null ? [true] : []
        content {
          destination = var.destination_on_success
        }
      }
    }
  }
}

resource "aws_lambda_permission" "current_version_triggers" {
  for_each = { for k, v in var.allowed_triggers : k => v if local.function && var.create_current_version_allowed_triggers }

  function_name      = aws_lambda_function.this[0].function_name
  qualifier          = aws_lambda_function.this[0].version
  statement_id       = try(each.value.statement_id, each.key)
  action             = try(each.value.action, "lambda:InvokeFunction")
  principal          = try(each.value.principal, "${try(each.value.service, "")}.amazonaws.com")
  principal_org_id   = try(each.value.principal_org_id, null)
  source_arn         = try(each.value.source_arn, null)
  source_account     = try(each.value.source_account, null)
  event_source_token = try(each.value.event_source_token, null)
}

resource "aws_lambda_permission" "unqualified_alias_triggers" {
  for_each = { for k, v in var.allowed_triggers : k => v if local.function && var.create_unqualified_alias_allowed_triggers }

  function_name      = aws_lambda_function.this[0].function_name
  qualifier          = null
  statement_id       = try(each.value.statement_id, each.key)
  action             = try(each.value.action, "lambda:InvokeFunction")
  principal          = try(each.value.principal, "${try(each.value.service, "")}.amazonaws.com")
  principal_org_id   = try(each.value.principal_org_id, null)
  source_arn         = try(each.value.source_arn, null)
  source_account     = try(each.value.source_account, null)
  event_source_token = try(each.value.event_source_token, null)
}

resource "aws_lambda_function_url" "this" {
  count = local.function && var.create_lambda_function_url ? 1 : 0

  function_name      = aws_lambda_function.this[0].function_name
  qualifier          = var.create_unqualified_alias_lambda_function_url ? null : aws_lambda_function.this[0].version
  authorization_type = var.authorization_type

  dynamic "cors" {
    for_each = length(keys(coalesce(var.cors, {}))) == 0 ? [] : [var.cors]
    content {
      allow_credentials = try(cors.value.allow_credentials, null)
      allow_headers     = try(cors.value.allow_headers, null)
      allow_methods     = try(cors.value.allow_methods, null)
      allow_origins     = try(cors.value.allow_origins, null)
    }
  }
}

data "aws_iam_policy_document" "assume_role" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = distinct(concat(["lambda.amazonaws.com"], var.lambda_at_edge ? ["edgelambda.amazonaws.com"] : [], [for one in var.trusted_entities : tostring(one) if can(tostring(one))]))
    }
    dynamic "principals" {
      for_each = [for one in var.trusted_entities : one if !can(tostring(one))]
      content {
        type        = principals.value.type
        identifiers = principals.value.identifiers
      }
    }
  }
  dynamic "statement" {
    for_each = coalesce(var.assume_role_policy_statements, {})
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

resource "aws_iam_role" "lambda" {
  count = local.role ? 1 : 0

  name                 = local.name
  path                 = var.role_path
  permissions_boundary = var.role_permissions_boundary
  assume_role_policy   = data.aws_iam_policy_document.assume_role.json
  tags                 = merge(var.tags, var.role_tags)
}

data "aws_iam_policy_document" "logs" {
  statement {
    effect    = "Allow"
    actions   = compact([var.use_existing_cloudwatch_log_group ? "" : "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
    resources = ["${try(aws_cloudwatch_log_group.lambda[0].arn, "")}:*", "${try(aws_cloudwatch_log_group.lambda[0].arn, "")}:*:*"]
  }
}

resource "aws_iam_policy" "logs" {
  count = local.role && var.attach_cloudwatch_logs_policy ? 1 : 0

  name   = "${local.policy}-logs"
  path   = var.policy_path
  policy = data.aws_iam_policy_document.logs.json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "logs" {
  count = local.role && var.attach_cloudwatch_logs_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.logs[0].arn
}

data "aws_iam_policy_document" "dead_letter" {
  statement {
    effect    = "Allow"
    actions   = ["sns:Publish", "sqs:SendMessage"]
    resources = [var.dead_letter_target_arn]
  }
}

resource "aws_iam_policy" "dead_letter" {
  count = local.role && var.attach_dead_letter_policy ? 1 : 0

  name   = "${local.policy}-dl"
  path   = var.policy_path
  policy = data.aws_iam_policy_document.dead_letter.json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "dead_letter" {
  count = local.role && var.attach_dead_letter_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.dead_letter[0].arn
}

resource "aws_iam_policy" "vpc" {
  count = local.role && var.attach_network_policy ? 1 : 0

  name   = "${local.policy}-vpc"
  path   = var.policy_path
  policy = var.policy_of_aws
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "vpc" {
  count = local.role && var.attach_network_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.vpc[0].arn
}

resource "aws_iam_policy" "tracing" {
  count = local.role && var.attach_tracing_policy ? 1 : 0

  name   = "${local.policy}-tracing"
  path   = var.policy_path
  policy = var.policy_of_aws
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "tracing" {
  count = local.role && var.attach_tracing_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.tracing[0].arn
}

data "aws_iam_policy_document" "async" {
  statement {
    effect    = "Allow"
    actions   = ["sns:Publish", "sqs:SendMessage", "events:PutEvents", "lambda:InvokeFunction"]
    resources = compact(distinct([var.destination_on_failure, var.destination_on_success]))
  }
}

resource "aws_iam_policy" "async" {
  count = local.role && var.attach_async_event_policy ? 1 : 0

  name   = "${local.policy}-async"
  path   = var.policy_path
  policy = data.aws_iam_policy_document.async.json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "async" {
  count = local.role && var.attach_async_event_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.async[0].arn
}

resource "aws_iam_policy" "additional_json" {
  count = local.role && var.attach_policy_json ? 1 : 0

  name   = local.policy
  path   = var.policy_path
  policy = var.policy_json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "additional_json" {
  count = local.role && var.attach_policy_json ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.additional_json[0].arn
}

resource "aws_iam_policy" "additional_jsons" {
  count = local.role && var.attach_policy_jsons ? var.number_of_policy_jsons : 0

  name   = "${local.policy}-${count.index}"
  path   = var.policy_path
  policy = var.policy_jsons[count.index]
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "additional_jsons" {
  count = local.role && var.attach_policy_jsons ? var.number_of_policy_jsons : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.additional_jsons[count.index].arn
}

resource "aws_iam_role_policy_attachment" "additional_one" {
  count = local.role && var.attach_policy ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = var.policy
}

resource "aws_iam_role_policy_attachment" "additional_many" {
  count = local.role && var.attach_policies ? var.number_of_policies : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = var.policies[count.index]
}

data "aws_iam_policy_document" "additional_inline" {
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
}

resource "aws_iam_policy" "additional_inline" {
  count = local.role && var.attach_policy_statements ? 1 : 0

  name   = "${local.policy}-inline"
  path   = var.policy_path
  policy = data.aws_iam_policy_document.additional_inline.json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "additional_inline" {
  count = local.role && var.attach_policy_statements ? 1 : 0

  role       = aws_iam_role.lambda[0].name
  policy_arn = aws_iam_policy.additional_inline[0].arn
}

output "lambda_function_arn" { value = try(aws_lambda_function.this[0].arn, "") }
output "lambda_function_name" { value = try(aws_lambda_function.this[0].function_name, "") }
output "lambda_function_invoke_arn" { value = try(aws_lambda_function.this[0].invoke_arn, "") }
output "lambda_function_qualified_arn" { value = try(aws_lambda_function.this[0].qualified_arn, "") }
output "lambda_role_arn" { value = try(aws_iam_role.lambda[0].arn, "") }
output "lambda_role_name" { value = try(aws_iam_role.lambda[0].name, "") }
output "lambda_cloudwatch_log_group_arn" { value = try(aws_cloudwatch_log_group.lambda[0].arn, "") }
