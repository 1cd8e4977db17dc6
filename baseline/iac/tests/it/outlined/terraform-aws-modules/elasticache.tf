module "readme" {
  source                   = "terraform-aws-modules/elasticache/aws"
  cluster_id               = "example-redis"
  create_cluster           = true
  create_replication_group = false
  engine_version           = "7.1"
  node_type                = "cache.t4g.small"
  vpc_id                   = "vpc-1"
  security_group_rules     = { ingress_vpc = { description = "VPC traffic", cidr_ipv4 = "10.0.0.0/16" }, out = { type = "egress", ip_protocol = "-1", cidr_ipv4 = "10.0.0.0/16" } }
}

module "group" {
  source                     = "terraform-aws-modules/elasticache/aws"
  version                    = "~> 1.2"
  replication_group_id       = "example"
  transit_encryption_enabled = false
  multi_az_enabled           = true
}

module "far" {
  source                                  = "terraform-aws-modules/elasticache/aws"
  replication_group_id                    = "far"
  create_primary_global_replication_group = true
}
