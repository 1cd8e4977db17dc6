variable "list_of_text" {
  type    = list(string)
  default = []
}
variable "numbers" {
  type    = list(number)
  default = [1, 2]
}
variable "object" {
  type    = object({ a = optional(string), b = optional(number, 2) })
  default = null
}
variable "map_of_text" {
  type    = map(string)
  default = { size = 10, on = true }
}
locals {
  never  = var.list_of_text == [] ? 1 : 0
  length = length(var.list_of_text) == 0 ? 1 : 0
  mixed  = true ? [1, "two"] : []
  texts  = length(var.numbers) > 1 ? var.numbers : ["none"]
  merged = merge(var.map_of_text, { n = 1 })
  picked = coalesce(var.object, { a = "picked", b = 3 })
  looked = lookup(var.map_of_text, "missing", 5)
}
resource "aws_sqs_queue" "never" {
  count = local.never
  name  = "never"
}
resource "aws_sqs_queue" "length" {
  count = local.length
  name  = "length"
}
resource "aws_sqs_queue" "conditional" {
  for_each      = var.object == null ? { none = 1 } : { some = var.object.b }
  name          = each.key
  delay_seconds = each.value
}
resource "aws_ssm_parameter" "values" {
  for_each = {
    mixed   = jsonencode(local.mixed)
    texts   = jsonencode(local.texts)
    merged  = jsonencode(local.merged)
    picked  = jsonencode(local.picked)
    looked  = jsonencode(local.looked)
    sum     = tostring(0.1 + 0.2)
    percent = "${100 * 0.07}%"
    third   = format("%.3f", 1 / 3)
    splat   = join(",", aws_sqs_queue.length[*].name)
    none    = join(",", aws_sqs_queue.never.*.name)
    one     = coalesce(one(aws_sqs_queue.never[*].name), "nothing")
    try     = try(aws_sqs_queue.never[0].name, aws_sqs_queue.length[0].name, "neither")
    keys    = join(",", [for k, q in aws_sqs_queue.conditional : "${k}=${q.delay_seconds}"])
    values  = jsonencode(values(aws_sqs_queue.conditional)[*].name)
    heredoc = <<-EOT
      %{ for n in var.numbers ~}
      n = ${n}
      %{ endfor ~}
      %{ if var.object == null }none%{ else }some%{ endif }
    EOT
  }
  name  = "/values/${each.key}"
  type  = "String"
  value = each.value
}
