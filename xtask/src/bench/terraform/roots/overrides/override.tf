locals {
  b = "override"
}
resource "aws_s3_bucket" "b" {
  acl = "private"
  versioning {
    enabled = true
  }
  tags = { c = "3" }
}
variable "size" {
  default = 2
}
