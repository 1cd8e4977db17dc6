module "readme" {
  source            = "terraform-aws-modules/notify-slack/aws"
  version           = "~> 5.0"
  sns_topic_name    = "slack-topic"
  slack_webhook_url = "https://hooks.slack.com/services/x"
  slack_channel     = "aws-notification"
  slack_username    = "reporter"
}

module "full" {
  source               = "terraform-aws-modules/notify-slack/aws"
  sns_topic_name       = "full"
  sns_topic_kms_key_id = "alias/aws/sns"
  kms_key_arn          = var.key

  enable_sns_topic_delivery_status_logs = true
  lambda_function_vpc_subnet_ids        = ["subnet-1"]
}

variable "key" {}
