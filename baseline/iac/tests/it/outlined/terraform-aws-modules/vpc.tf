module "plain" {
  source = "terraform-aws-modules/vpc/aws"
  cidr   = "10.0.0.0/16"
}

module "readme" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 5.0"
  name    = "readme"
  cidr    = "10.0.0.0/16"

  azs                = ["eu-west-1a", "eu-west-1b"]
  private_subnets    = ["10.0.1.0/24", "10.0.2.0/24"]
  public_subnets     = ["10.0.101.0/24", "10.0.102.0/24"]
  enable_nat_gateway = true
  enable_flow_log    = true
  tags               = { Environment = "dev" }

  create_flow_log_cloudwatch_log_group = true
  create_flow_log_cloudwatch_iam_role  = true
}

module "old" {
  source                        = "terraform-aws-modules/vpc/aws"
  version                       = "2.77.0"
  cidr                          = "10.0.0.0/16"
  azs                           = ["eu-west-1a"]
  enable_s3_endpoint            = true
  enable_dynamodb_endpoint      = true
  manage_default_vpc            = true
  manage_default_route_table    = true
  manage_default_security_group = true
  default_security_group_egress = [{ cidr_blocks = "0.0.0.0/0" }]
  default_route_table_routes    = [{ cidr_block = "10.1.0.0/16", transit_gateway_id = "tgw-1" }]

  default_security_group_ingress = [{ self = true }]
}

module "every" {
  source           = "terraform-aws-modules/vpc/aws"
  cidr             = "10.0.0.0/16"
  azs              = ["eu-west-1a"]
  enable_ipv6      = true
  database_subnets = ["10.0.3.0/24"]

  enable_nat_gateway                 = true
  single_nat_gateway                 = true
  create_database_subnet_route_table = true
  create_database_nat_gateway_route  = true

  create_redshift_subnet_route_table    = true
  create_elasticache_subnet_route_table = true
  flow_log_destination_type             = "s3"
  flow_log_destination_arn              = "arn:aws:s3:::logs"
  enable_flow_log                       = true
  public_subnets                        = ["10.0.10.0/24"]
  public_dedicated_network_acl          = true
  private_subnets                       = ["10.0.11.0/24"]
  private_dedicated_network_acl         = true
  database_dedicated_network_acl        = true
  redshift_subnets                      = ["10.0.13.0/24"]
  redshift_dedicated_network_acl        = true
  elasticache_subnets                   = ["10.0.14.0/24"]
  elasticache_dedicated_network_acl     = true
  intra_subnets                         = ["10.0.15.0/24"]
  intra_dedicated_network_acl           = true
  outpost_subnets                       = ["10.0.16.0/24"]
  outpost_dedicated_network_acl         = true
}

module "open_database" {
  source                                 = "terraform-aws-modules/vpc/aws"
  azs                                    = ["eu-west-1a"]
  public_subnets                         = ["10.0.1.0/24"]
  database_subnets                       = ["10.0.3.0/24"]
  create_database_subnet_route_table     = true
  create_database_internet_gateway_route = true
  map_public_ip_on_launch                = true
  vpc_block_public_access_options        = { internet_gateway_block_mode = "block-bidirectional" }
}

module "not_known" {
  source          = "terraform-aws-modules/vpc/aws"
  cidr            = var.cidr
  azs             = var.zones
  public_subnets  = var.subnets
  private_subnets = var.subnets
  enable_flow_log = var.flow_log
}

variable "cidr" {}
variable "flow_log" {}
variable "subnets" {}
variable "zones" {}

output "ids" {
  value = concat(module.readme.public_subnets, [module.readme.vpc_id])
}
