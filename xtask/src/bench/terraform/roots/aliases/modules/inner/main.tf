terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "index" {}
resource "aws_kinesis_stream" "s" {
  name        = "s${var.index}"
  shard_count = var.index + 1
  tags        = var.index == 0 ? null : { cost = "inner" }
}
