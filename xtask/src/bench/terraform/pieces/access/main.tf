variable "name" {}
variable "tags" { type = map(string) }
variable "index" {}
variable "wide" { default = true }
variable "rules" { default = null }
locals {
  services = ["ec2", "lambda", "ecs-tasks"]
  roles = { for i, s in local.services : s => {
    actions = formatlist("%s:%s", s == "ecs-tasks" ? "ecs" : s, ["Describe*", "List*"])
    path    = i == 0 ? "/" : "/${s}/"
    boundary = i > 1 ? "arn:aws:iam::111122223333:policy/limit" : null
  } if i <= var.index + 1 }
}
resource "aws_iam_role" "this" {
  for_each             = local.roles
  name                 = "${var.name}-${each.key}"
  path                 = each.value.path
  permissions_boundary = each.value.boundary
  max_session_duration = 3600 * (var.wide == true ? 2 : 1)
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "${each.key}.amazonaws.com" }
    }]
  })
  dynamic "inline_policy" {
    for_each = var.wide == true ? ["extra"] : []
    content {
      name   = inline_policy.value
      policy = <<-EOT
        {
          "Version": "2012-10-17",
          "Statement": [{"Effect": "Allow", "Action": ${jsonencode(each.value.actions)}, "Resource": "*"}]
        }
      EOT
    }
  }
  tags = var.tags
}
resource "aws_iam_policy" "this" {
  for_each    = local.roles
  name        = format("%s-%s", var.name, each.key)
  description = "For ${each.key}"
  policy      = templatefile("${path.module}/policy.json.tftpl", { actions = each.value.actions, buckets = [for i in range(var.index + 1) : "${var.name}-${i}"] })
}
resource "aws_iam_role_policy_attachment" "this" {
  for_each   = aws_iam_role.this
  role       = each.value.name
  policy_arn = aws_iam_policy.this[each.key].arn
}
resource "aws_sqs_queue" "work" {
  count                      = length(local.roles)
  name                       = "${var.name}-${keys(local.roles)[count.index]}${count.index > 0 ? ".fifo" : ""}"
  fifo_queue                 = count.index > 0
  visibility_timeout_seconds = 30 * pow(2, count.index)
  kms_master_key_id          = count.index == 0 ? null : "alias/aws/sqs"
  tags                       = merge(var.tags, { role = element(keys(local.roles), count.index), wide = var.wide })
}
resource "aws_sns_topic" "one" {
  count = anytrue([for k, r in local.roles : startswith(k, "l")]) ? 1 : 0
  name  = "${var.name}-topic"
}
output "roles" { value = { for k, r in aws_iam_role.this : k => r.name } }
output "topic" { value = one(aws_sns_topic.one[*].name) }
