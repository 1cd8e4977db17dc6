module "plain" {
  source = "terraform-aws-modules/security-group/aws"
  name   = "plain"
  vpc_id = "vpc-1"
}

module "by_name" {
  source          = "terraform-aws-modules/security-group/aws"
  version         = "~> 5.0"
  name            = "by-name"
  use_name_prefix = false
  vpc_id          = var.vpc

  ingress_cidr_blocks = ["0.0.0.0/0"]
  ingress_rules       = ["ssh-tcp", "of-another-name"]
  egress_rules        = ["all-all"]
  ingress_with_cidr_blocks = [
    { from_port = 8080, to_port = 8090, protocol = "tcp", description = "own", cidr_blocks = "10.0.0.0/8,10.1.0.0/16" },
    { rule = "postgresql-tcp" },
  ]
}

module "in_full" {
  source  = "terraform-aws-modules/security-group/aws"
  version = "6.0.0"
  name    = "in-full"
  vpc_id  = var.vpc

  ingress_rules = { https = { from_port = 443, cidr_ipv4 = "10.0.0.0/8" }, own = { ip_protocol = "-1", referenced_security_group_id = "self" } }
  egress_rules  = { all = { ip_protocol = "-1", cidr_ipv4 = "0.0.0.0/0" } }
}

module "each" {
  source = "terraform-aws-modules/security-group/aws"
  name   = "each"

  ingress_rules                                            = ["https-443-tcp"]
  ingress_with_self                                        = [{ rule = "all-all" }]
  ingress_with_cidr_blocks                                 = [{ rule = "redis-tcp", cidr_blocks = "10.0.0.0/8" }]
  ingress_with_ipv6_cidr_blocks                            = [{ rule = "dns-udp", ipv6_cidr_blocks = "::/0" }]
  ingress_with_source_security_group_id                    = [{ rule = "mysql-tcp", source_security_group_id = "sg-1" }]
  computed_ingress_rules                                   = ["https-443-tcp"]
  number_of_computed_ingress_rules                         = 1
  computed_ingress_with_self                               = [{ rule = "all-all" }]
  number_of_computed_ingress_with_self                     = 1
  computed_ingress_with_cidr_blocks                        = [{ rule = "redis-tcp", cidr_blocks = "10.0.0.0/8" }]
  number_of_computed_ingress_with_cidr_blocks              = 1
  computed_ingress_with_ipv6_cidr_blocks                   = [{ rule = "dns-udp", ipv6_cidr_blocks = "::/0" }]
  number_of_computed_ingress_with_ipv6_cidr_blocks         = 1
  computed_ingress_with_source_security_group_id           = [{ rule = "mysql-tcp", source_security_group_id = "sg-1" }]
  number_of_computed_ingress_with_source_security_group_id = 1
  egress_rules                                             = ["https-443-tcp"]
  egress_with_self                                         = [{ rule = "all-all" }]
  egress_with_cidr_blocks                                  = [{ rule = "redis-tcp", cidr_blocks = "10.0.0.0/8" }]
  egress_with_ipv6_cidr_blocks                             = [{ rule = "dns-udp", ipv6_cidr_blocks = "::/0" }]
  egress_with_source_security_group_id                     = [{ rule = "mysql-tcp", source_security_group_id = "sg-1" }]
  computed_egress_rules                                    = ["https-443-tcp"]
  number_of_computed_egress_rules                          = 1
  computed_egress_with_self                                = [{ rule = "all-all" }]
  number_of_computed_egress_with_self                      = 1
  computed_egress_with_cidr_blocks                         = [{ rule = "redis-tcp", cidr_blocks = "10.0.0.0/8" }]
  number_of_computed_egress_with_cidr_blocks               = 1
  computed_egress_with_ipv6_cidr_blocks                    = [{ rule = "dns-udp", ipv6_cidr_blocks = "::/0" }]
  number_of_computed_egress_with_ipv6_cidr_blocks          = 1
  computed_egress_with_source_security_group_id            = [{ rule = "mysql-tcp", source_security_group_id = "sg-1" }]
  number_of_computed_egress_with_source_security_group_id  = 1
}

module "ssh" {
  source              = "terraform-aws-modules/security-group/aws//modules/ssh"
  version             = "~> 4.0"
  name                = "ssh"
  use_name_prefix     = false
  vpc_id              = var.vpc
  ingress_cidr_blocks = ["0.0.0.0/0"]
}

module "ssh_6" {
  source            = "terraform-aws-modules/security-group/aws//modules/ssh"
  version           = "~> 6.0"
  name              = "ssh"
  ingress_cidr_ipv4 = { all = "0.0.0.0/0" }
}

module "not_known" {
  source        = "terraform-aws-modules/security-group/aws"
  ingress_rules = var.rules
  name          = var.vpc
}

variable "rules" {}
variable "vpc" {}
