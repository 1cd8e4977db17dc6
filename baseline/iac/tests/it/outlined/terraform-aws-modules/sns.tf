module "plain" {
  source = "terraform-aws-modules/sns/aws"
  name   = "plain"
}

module "old" {
  source            = "terraform-aws-modules/sns/aws"
  version           = "~> 3.0"
  name_prefix       = "old"
  kms_master_key_id = "alias/aws/sns"
  policy            = jsonencode({ Version = "2012-10-17", Statement = [] })

  lambda_failure_feedback_role_arn = "arn:aws:iam::111122223333:role/r"
}

module "full" {
  source            = "terraform-aws-modules/sns/aws"
  version           = ">= 5.0"
  name              = "full"
  kms_master_key_id = var.key
  lambda_feedback   = { failure_role_arn = "arn:aws:iam::111122223333:role/r" }
  subscriptions     = { queue = { protocol = "http", endpoint = "http://example.com" } }

  topic_policy_statements = { pub = { actions = ["sns:Publish"], principals = [{ type = "AWS", identifiers = ["*"] }] } }
}

module "not_known" {
  source        = "terraform-aws-modules/sns/aws"
  name          = var.key
  subscriptions = var.subscriptions
}

variable "key" {}
variable "subscriptions" {}
