module "plain" {
  source      = "terraform-aws-modules/kms/aws"
  description = "plain"
}

module "full" {
  source              = "terraform-aws-modules/kms/aws"
  version             = "~> 2.0"
  enable_key_rotation = false
  aliases             = ["one"]
  key_owners          = ["arn:aws:iam::111122223333:role/owner"]
  key_administrators  = [var.admin]
  key_users           = ["arn:aws:iam::111122223333:role/user"]
  key_statements = [
    {
      sid        = "CloudWatchLogs"
      actions    = ["kms:Encrypt*", "kms:Decrypt*"]
      resources  = ["*"]
      principals = [{ type = "Service", identifiers = ["logs.eu-west-1.amazonaws.com"] }]
      conditions = [{ test = "ArnLike", variable = "kms:EncryptionContext:aws:logs:arn", values = ["arn:aws:logs:eu-west-1:111122223333:*"] }]
    },
  ]
}

module "open" {
  source                = "terraform-aws-modules/kms/aws"
  version               = "3.1.0"
  enable_default_policy = false
  key_users             = ["*"]
}

module "replica" {
  source          = "terraform-aws-modules/kms/aws"
  create_replica  = true
  primary_key_arn = module.full.key_arn
  policy          = jsonencode({ Version = "2012-10-17", Statement = [] })
}

variable "admin" {}
