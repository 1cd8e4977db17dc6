module "readme" {
  source        = "terraform-aws-modules/lambda/aws"
  function_name = "my-lambda1"
  description   = "My awesome lambda function"
  handler       = "index.lambda_handler"
  runtime       = "python3.12"
  source_path   = "../src/lambda-function1"
}

module "full" {
  source                 = "terraform-aws-modules/lambda/aws"
  version                = "~> 7.0"
  function_name          = "full"
  runtime                = "nodejs20.x"
  tracing_mode           = "Active"
  kms_key_arn            = var.key
  environment_variables  = { A = "b" }
  dead_letter_target_arn = "arn:aws:sqs:eu-west-1:111122223333:dead"
  vpc_subnet_ids         = ["subnet-1"]
  vpc_security_group_ids = ["sg-1"]
  trusted_entities       = ["scheduler.amazonaws.com", { type = "AWS", identifiers = ["arn:aws:iam::111122223333:root"] }]

  cloudwatch_logs_retention_in_days = 14
  attach_dead_letter_policy         = true
  attach_network_policy             = true
  attach_tracing_policy             = true
  attach_async_event_policy         = true
  create_async_event_config         = true
  destination_on_failure            = "arn:aws:sns:eu-west-1:111122223333:failed"
  destination_on_success            = "arn:aws:sns:eu-west-1:111122223333:done"
  attach_policy_json                = true
  policy_json                       = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
  attach_policy_jsons               = true
  number_of_policy_jsons            = 1
  policy_jsons                      = [jsonencode({ Version = "2012-10-17", Statement = [] })]
  attach_policy                     = true
  policy                            = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  attach_policies                   = true
  number_of_policies                = 1
  policies                          = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
  attach_policy_statements          = true
  policy_statements                 = { s3 = { effect = "Allow", actions = ["s3:GetObject"], resources = ["*"] } }
  create_lambda_function_url        = true
  cors                              = { allow_origins = ["*"] }
  allowed_triggers                  = { gateway = { service = "apigateway", source_arn = "arn:aws:execute-api:eu-west-1:111122223333:a/*/*/*" }, all = { principal = "*" } }
}

module "not_known" {
  source           = "terraform-aws-modules/lambda/aws"
  function_name    = var.key
  tracing_mode     = var.mode
  allowed_triggers = var.triggers
}

variable "key" {}
variable "mode" {}
variable "triggers" {}
