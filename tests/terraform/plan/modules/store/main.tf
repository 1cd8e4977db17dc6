variable "name" {
  type = string
}

variable "public" {
  default = false
}

variable "keep" {
  type    = bool
  default = true
}

locals {
  bucket = lower("nw-${var.name}")
}

resource "aws_s3_bucket" "this" {
  bucket = local.bucket
  acl    = var.public ? "public-read" : "private"

  versioning {
    enabled = var.keep
  }

  dynamic "lifecycle_rule" {
    for_each = var.keep ? [] : [7, 30]
    content {
      id      = "after-${lifecycle_rule.value}"
      enabled = true
      expiration {
        days = lifecycle_rule.value
      }
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  count                   = var.public ? 0 : 1
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = !var.public
}

output "arn" {
  value = aws_s3_bucket.this.arn
}
