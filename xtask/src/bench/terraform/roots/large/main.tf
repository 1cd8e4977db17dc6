locals {
  teams    = [for i in range(12) : format("team-%02d", i)]
  stages   = ["dev", "test", "prod"]
  services = { for pair in setproduct(local.teams, local.stages) : "${pair[0]}/${pair[1]}" => { team = pair[0], stage = pair[1], index = index(local.teams, pair[0]) * 3 + index(local.stages, pair[1]) } }
}
resource "aws_sqs_queue" "each" {
  for_each                  = local.services
  name                      = replace(each.key, "/", "-")
  message_retention_seconds = each.value.stage == "prod" ? 14 * 24 * 3600 : 86400
  kms_master_key_id         = each.value.stage == "dev" ? null : "alias/${each.value.team}"
  tags                      = { for k, v in each.value : title(k) => v }
}
resource "aws_cloudwatch_log_group" "each" {
  for_each          = aws_sqs_queue.each
  name              = "/queues/${each.value.name}"
  retention_in_days = lookup({ dev = 7, test = 30 }, split("/", each.key)[1], 365)
}
resource "aws_security_group_rule" "ports" {
  count             = 40
  type              = count.index % 3 == 0 ? "egress" : "ingress"
  from_port         = 1000 + count.index * 10
  to_port           = 1000 + count.index * 10 + 9
  protocol          = element(["tcp", "udp"], count.index)
  cidr_blocks       = [cidrsubnet("10.0.0.0/8", 16, count.index * 7)]
  security_group_id = "sg-1234"
}
resource "aws_ebs_volume" "v" {
  count             = length(local.teams)
  availability_zone = "eu-west-1${element(["a", "b", "c"], count.index)}"
  size              = ceil((count.index + 1) / 3) * 10
  type              = count.index > 5 ? "io1" : "gp2"
  iops              = count.index > 5 ? 100 * (count.index + 1) : null
  encrypted         = count.index != 4
  tags              = { Name = local.teams[count.index], parity = count.index % 2 == 0 ? "even" : "odd" }
}
