module "old" {
  source  = "terraform-aws-modules/s3-bucket/aws"
  version = "3.7.0"
  bucket  = "old"
  acl     = "public-read"
  versioning = {
    enabled    = false
    mfa_delete = "true"
  }
  logging = { target_bucket = "logs", target_prefix = "old/" }
  website = { index_document = "index.html" }

  server_side_encryption_configuration = {
    rule = { apply_server_side_encryption_by_default = { sse_algorithm = "aws:kms", kms_master_key_id = var.key } }
  }
  lifecycle_rule = [
    {
      id      = "away"
      enabled = true
      filter  = { prefix = "a/" }

      abort_incomplete_multipart_upload_days = 7
      transition                             = [{ days = 30, storage_class = "GLACIER" }]
      expiration                             = { days = 90 }
      noncurrent_version_expiration          = { noncurrent_days = 30 }
    },
    { id = "off", status = "Disabled", expiration = [{ days = 1 }] },
  ]
  replication_configuration = {
    role  = "arn:aws:iam::111122223333:role/r"
    rules = [{ id = "all", status = true, destination = { bucket = "arn:aws:s3:::far", account_id = "444455556666" } }]
  }
  object_lock_enabled       = true
  object_lock_configuration = { rule = { default_retention = { mode = "GOVERNANCE", days = 1 } } }
  control_object_ownership  = true
  object_ownership          = "BucketOwnerPreferred"

  attach_policy                         = true
  attach_deny_insecure_transport_policy = true
  policy                                = jsonencode({ Version = "2012-10-17", Statement = [] })
}

module "granted" {
  source                        = "git::https://github.com/terraform-aws-modules/terraform-aws-s3-bucket.git?ref=v3.0.0"
  grant                         = [{ type = "CanonicalUser", permission = "FULL_CONTROL", id = "abc" }]
  website                       = { redirect_all_requests_to = { host_name = "example.com" } }
  attach_lb_log_delivery_policy = true
}

module "plain" {
  source = "terraform-aws-modules/s3-bucket/aws"
}

module "none" {
  source        = "terraform-aws-modules/s3-bucket/aws"
  create_bucket = false
}

module "not_known" {
  count                                = var.many
  source                               = "terraform-aws-modules/s3-bucket/aws"
  version                              = "~> 5.0"
  acl                                  = var.acl
  logging                              = var.logging
  versioning                           = var.versioning
  website                              = var.website
  lifecycle_rule                       = var.rules
  server_side_encryption_configuration = var.encryption
  replication_configuration            = var.replication
}

variable "acl" {}
variable "encryption" {}
variable "key" {}
variable "logging" {}
variable "many" {}
variable "replication" {}
variable "rules" {}
variable "versioning" {}
variable "website" {}

output "id" {
  value = [module.plain.s3_bucket_id, module.plain.what_the_outline_does_not_say]
}
