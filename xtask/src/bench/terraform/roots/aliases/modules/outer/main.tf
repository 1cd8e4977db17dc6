terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws.second]
    }
  }
}
variable "names" { type = set(string) }
resource "aws_sns_topic" "first" {
  for_each = var.names
  name     = each.value
}
resource "aws_sns_topic" "second" {
  provider = aws.second
  for_each = var.names
  name     = "second-${each.key}"
  tags     = { k = each.key }
}
module "inner" {
  source    = "../inner"
  count     = 2
  providers = { aws = aws.second }
  index     = count.index
}
data "aws_region" "here" {}
resource "aws_sns_topic" "region" {
  name = "in-${data.aws_region.here.name}"
}
