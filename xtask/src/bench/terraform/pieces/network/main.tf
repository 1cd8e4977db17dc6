variable "name" { type = string }
variable "tags" { type = map(string) }
variable "index" {
  type    = number
  default = 0
}
variable "wide" {
  type     = bool
  default  = true
  nullable = false
}
variable "rules" {
  type    = map(object({ port = number, cidrs = list(string) }))
  default = { web = { port = 80, cidrs = ["0.0.0.0/0"] } }
}
locals {
  cidr    = cidrsubnet("10.0.0.0/8", 8, var.index + 1)
  subnets = cidrsubnets(local.cidr, (var.wide ? [4, 4, 4, 8] : [4, 8])...)
  zones   = ["a", "b", "c"]
  public  = [for i, c in local.subnets : c if i % 2 == 0]
  by_cidr = { for i, c in local.subnets : replace(c, "/[./]/", "-") => { cidr = c, zone = element(local.zones, i) } }
}
data "aws_region" "here" {}
resource "aws_vpc" "this" {
  cidr_block           = local.cidr
  enable_dns_hostnames = var.wide
  instance_tenancy     = var.wide ? null : "default"
  tags                 = merge(var.tags, { Name = "${var.name}-vpc" })
}
resource "aws_subnet" "counted" {
  count                   = length(local.subnets)
  vpc_id                  = aws_vpc.this.id
  cidr_block              = local.subnets[count.index]
  availability_zone       = "${data.aws_region.here.name}${local.zones[count.index % length(local.zones)]}"
  map_public_ip_on_launch = contains(local.public, local.subnets[count.index])
  tags                    = merge(var.tags, { Name = format("%s-%02d", var.name, count.index + 1), public = tostring(count.index % 2 == 0) })
}
resource "aws_network_acl" "keyed" {
  for_each   = local.by_cidr
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for s in aws_subnet.counted : s.id if s.cidr_block == each.value.cidr]
  dynamic "ingress" {
    for_each = [for i, k in sort(keys(var.rules)) : merge(var.rules[k], { no = (i + 1) * 100 })]
    iterator = rule
    content {
      rule_no    = rule.value.no
      action     = rule.key == 0 ? "allow" : "deny"
      protocol   = "tcp"
      from_port  = rule.value.port
      to_port    = max(rule.value.port, 1024)
      cidr_block = one(slice(rule.value.cidrs, 0, 1))
    }
  }
  tags = { Name = title(each.key), zone = each.value.zone }
}
module "rules" {
  source = "../rules"
  vpc_id = aws_vpc.this.id
  name   = var.name
  rules  = var.rules
  tags   = var.tags
}
output "subnets" { value = aws_subnet.counted[*].cidr_block }
output "zones" { value = { for s in aws_subnet.counted : s.availability_zone => s.cidr_block... } }
output "group" { value = module.rules.name }
