module "plain" {
  source = "terraform-aws-modules/sqs/aws"
  name   = "plain"
}

module "old" {
  source            = "terraform-aws-modules/sqs/aws"
  version           = "~> 2.0"
  name              = "old"
  policy            = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "sqs:*", Resource = "*" }] })
  redrive_policy    = jsonencode({ deadLetterTargetArn = "arn:aws:sqs:eu-west-1:111122223333:dead", maxReceiveCount = 4 })
  kms_master_key_id = "alias/own"
}

module "dead" {
  source     = "terraform-aws-modules/sqs/aws"
  version    = "~> 4.0"
  name       = "dead"
  create_dlq = true

  create_queue_policy     = true
  queue_policy_statements = { send = { actions = ["sqs:SendMessage"], principals = [{ type = "AWS", identifiers = ["*"] }] } }
  create_dlq_queue_policy = true
  dlq_queue_policy_statements = {
    account = {
      sid        = "AccountReadWrite"
      actions    = ["sqs:SendMessage"]
      principals = [{ type = "AWS", identifiers = ["arn:aws:iam::111122223333:root"] }]
      condition  = [{ test = "Bool", variable = "aws:SecureTransport", values = ["true"] }]
    }
  }
}

module "given" {
  source                  = "terraform-aws-modules/sqs/aws"
  version                 = "4.2.0"
  name                    = "given"
  sqs_managed_sse_enabled = false
  redrive_policy          = { deadLetterTargetArn = "arn:aws:sqs:eu-west-1:111122223333:dead", maxReceiveCount = 4 }
}

module "not_known" {
  source            = "terraform-aws-modules/sqs/aws"
  create            = var.create
  name              = var.name
  kms_master_key_id = var.key

  queue_policy_statements = var.statements
}

variable "create" {}
variable "key" {}
variable "name" {}
variable "statements" {}
