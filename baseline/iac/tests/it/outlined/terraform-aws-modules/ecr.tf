module "plain" {
  source          = "terraform-aws-modules/ecr/aws"
  repository_name = "plain"
}

module "full" {
  source                             = "terraform-aws-modules/ecr/aws"
  version                            = "~> 1.6"
  repository_name                    = "full"
  repository_image_tag_mutability    = "MUTABLE"
  repository_image_scan_on_push      = false
  repository_encryption_type         = "KMS"
  repository_kms_key                 = var.key
  repository_read_write_access_arns  = ["arn:aws:iam::111122223333:role/ci"]
  repository_lambda_read_access_arns = ["arn:aws:lambda:eu-west-1:111122223333:function:f"]
  repository_lifecycle_policy        = jsonencode({ rules = [] })

  manage_registry_scanning_configuration = true
  registry_scan_rules                    = [{ scan_frequency = "SCAN_ON_PUSH", filter = "*" }, { scan_frequency = "MANUAL", filter = [{ filter = "a" }] }]
}

module "public" {
  source          = "terraform-aws-modules/ecr/aws"
  repository_name = "public"
  repository_type = "public"
}

variable "key" {}
