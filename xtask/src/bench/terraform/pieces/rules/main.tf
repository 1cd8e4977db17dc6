variable "name" {}
variable "vpc_id" {
  type    = string
  default = null
}
variable "tags" { default = {} }
variable "rules" { type = map(any) }
locals {
  flat = flatten([for name, rule in var.rules : [for cidr in rule.cidrs : { name = name, port = rule.port, cidr = cidr }]])
}
resource "aws_security_group" "this" {
  name_prefix = substr("${var.name}-rules-", 0, 20)
  description = "Rules of ${var.name}: %{for name, _ in var.rules}${name} %{endfor~}"
  vpc_id      = var.vpc_id
  dynamic "ingress" {
    for_each = var.rules
    content {
      description = "allow ${ingress.key}"
      from_port   = ingress.value.port
      to_port     = ingress.value["port"]
      protocol    = "tcp"
      cidr_blocks = ingress.value.cidrs
    }
  }
  egress {
    from_port        = 0
    to_port          = 0
    protocol         = "-1"
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = length(var.rules) > 1 ? ["::/0"] : []
  }
  tags = module.tags.all
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [description]
  }
}
resource "aws_security_group_rule" "each" {
  for_each          = { for r in local.flat : "${r.name}:${r.port}:${r.cidr}" => r }
  type              = "ingress"
  from_port         = each.value.port + 10000
  to_port           = each.value.port + 10000
  protocol          = lower("TCP")
  cidr_blocks       = [each.value.cidr]
  security_group_id = aws_security_group.this.id
}
module "tags" {
  source = "../tagging"
  base   = var.tags
  more   = { rules = join("+", keys(var.rules)), n = length(local.flat) }
}
output "name" { value = aws_security_group.this.name_prefix }
