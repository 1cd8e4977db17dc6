module "plain" {
  source   = "terraform-aws-modules/dynamodb-table/aws"
  name     = "plain"
  hash_key = "id"
}

module "four" {
  source                             = "terraform-aws-modules/dynamodb-table/aws"
  version                            = "~> 4.0"
  name                               = "four"
  hash_key                           = "id"
  billing_mode                       = "PROVISIONED"
  autoscaling_enabled                = true
  point_in_time_recovery_enabled     = true
  server_side_encryption_enabled     = true
  server_side_encryption_kms_key_arn = var.key
  resource_policy                    = jsonencode({ Version = "2012-10-17", Statement = [] })
}

module "gsi" {
  source                                = "terraform-aws-modules/dynamodb-table/aws"
  version                               = "~> 4.0"
  name                                  = "gsi"
  autoscaling_enabled                   = true
  ignore_changes_global_secondary_index = true
}

module "five" {
  source                 = "terraform-aws-modules/dynamodb-table/aws"
  version                = "~> 5.0"
  name                   = "five"
  point_in_time_recovery = { enabled = true }
  server_side_encryption = { enabled = true, kms_key_arn = var.key }
}

module "not_known" {
  source                         = "terraform-aws-modules/dynamodb-table/aws"
  name                           = "not-known"
  point_in_time_recovery_enabled = var.recovery
}

variable "key" {}
variable "recovery" {}
