resource "aws_s3_bucket" "b" {
  lifecycle_rule {
    id      = "late"
    enabled = true
    expiration {
      days = 9
    }
  }
}
resource "aws_sqs_queue" "counted" {
  count                      = 1
  visibility_timeout_seconds = 99
}
module "m" {
  name = "late"
}
