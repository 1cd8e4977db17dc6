variable "north" { default = "eu-north-1" }
variable "more" { default = { cost = 2, owner = "north team" } }
resource "aws_sqs_queue" "plain" {
  name = "plain"
}
resource "aws_sqs_queue" "own" {
  name = "own"
  tags = { cost = "own", part = "queue" }
}
resource "aws_sqs_queue" "north" {
  provider = aws.north
  name     = "north"
  tags     = { part = "queue", estate = "other" }
}
module "outer" {
  source    = "./modules/outer"
  providers = { aws = aws.north, aws.second = aws }
  names     = ["a", "b"]
}
data "aws_region" "main" {}
data "aws_region" "north" {
  provider = aws.north
}
data "aws_partition" "here" {}
resource "aws_ssm_parameter" "regions" {
  name  = "/regions/${data.aws_region.main.name}"
  type  = "StringList"
  value = join(",", [data.aws_region.main.name, data.aws_region.north.id, data.aws_partition.here.partition])
}
