terraform {
  required_version = ">= 1.5"
  backend "local" {}
}
locals {
  fruits = { apple = { weight = 1, tags = ["x"] }, pear = { weight = 2, tags = [] } }
}
resource "aws_sqs_queue" "new" {
  for_each = local.fruits
  name     = each.key
  delay_seconds = each.value.weight
  lifecycle {
    prevent_destroy = false
    ignore_changes  = all
    precondition {
      condition     = each.value.weight > 0
      error_message = "weight"
    }
    postcondition {
      condition     = self.name != ""
      error_message = "name"
    }
  }
}
moved {
  from = aws_sqs_queue.old
  to   = aws_sqs_queue.new["apple"]
}
removed {
  from = aws_sqs_queue.gone
  lifecycle {
    destroy = false
  }
}
check "names" {
  assert {
    condition     = length(aws_sqs_queue.new) == 2
    error_message = "two were expected"
  }
}
resource "terraform_data" "trigger" {
  input            = { n = 1, list = [for k, v in local.fruits : k if length(v.tags) > 0] }
  triggers_replace = [aws_sqs_queue.new["pear"].name, local.fruits.apple.weight]
  provisioner "local-exec" {
    command = "echo ${self.id}"
  }
}
resource "aws_sns_topic" "after" {
  depends_on   = [aws_sqs_queue.new]
  name         = "after-${join("-", keys(aws_sqs_queue.new))}"
  display_name = terraform_data.trigger.input.list[0]
}
resource "aws_sns_topic" "workspace" {
  name = "ws-${path.module == "." ? "root" : "module"}"
}
