variable "size" {
  type    = number
  default = 1
}
variable "mode" { default = "main" }
locals {
  a = "main"
  b = "main"
}
resource "aws_s3_bucket" "b" {
  bucket = "overridden-${local.a}-${local.b}-${var.mode}"
  acl    = "public-read"
  versioning {
    enabled = false
  }
  lifecycle_rule {
    id      = "main"
    enabled = true
    expiration {
      days = 1
    }
  }
  lifecycle_rule {
    id      = "second"
    enabled = false
    expiration {
      days = 2
    }
  }
  tags = { a = "1", b = "2" }
}
resource "aws_sqs_queue" "counted" {
  count = 3
  name  = "q${count.index}"
}
module "m" {
  source = "./m"
  name   = "main"
  size   = var.size
}
