module "readme" {
  source                = "terraform-aws-modules/efs/aws"
  version               = "~> 1.0"
  name                  = "example"
  encrypted             = true
  kms_key_arn           = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  mount_targets         = { "eu-west-1a" = { subnet_id = "subnet-abcde012" } }
  security_group_vpc_id = "vpc-1234556abcdef"
  security_group_rules  = { vpc = { description = "NFS ingress from VPC private subnets", cidr_blocks = ["10.99.3.0/24"] } }
  access_points         = { posix = { posix_user = { gid = 1001, uid = 1001 } }, root = { root_directory = { path = "/example" } } }
  policy_statements     = [{ sid = "Example", actions = ["elasticfilesystem:ClientMount"], principals = [{ type = "AWS", identifiers = ["arn:aws:iam::111122223333:role/EfsReadOnly"] }] }]
}

module "two" {
  source        = "terraform-aws-modules/efs/aws"
  version       = "~> 2.0"
  name          = "two"
  mount_targets = { a = { subnet_id = "subnet-1" } }

  security_group_ingress_rules = { vpc = { cidr_ipv4 = "10.0.0.0/16" } }
  security_group_egress_rules  = { all = { cidr_ipv4 = "0.0.0.0/0", ip_protocol = "-1" } }
}

module "plain" {
  source               = "terraform-aws-modules/efs/aws"
  name                 = "plain"
  attach_policy        = false
  enable_backup_policy = false
}
