module "readme" {
  source         = "terraform-aws-modules/rds-aurora/aws"
  version        = "~> 8.0"
  name           = "test-aurora-db-postgres96"
  engine         = "aurora-postgresql"
  engine_version = "14.5"
  instance_class = "db.r6g.large"
  instances      = { one = {}, two = { instance_class = "db.r6g.2xlarge", publicly_accessible = true } }

  vpc_id                            = "vpc-12345678"
  db_subnet_group_name              = "db-subnet-group"
  security_group_rules              = { ex1_ingress = { cidr_blocks = ["10.20.0.0/20"] } }
  storage_encrypted                 = true
  monitoring_interval               = 10
  enabled_cloudwatch_logs_exports   = ["postgresql"]
  create_cloudwatch_log_group       = true
  create_db_cluster_parameter_group = true
  db_cluster_parameter_group_family = "aurora-postgresql14"
  create_db_parameter_group         = true

  db_cluster_parameter_group_parameters = [{ name = "rds.force_ssl", value = 1, apply_method = "immediate" }]
}

module "seven" {
  source                      = "terraform-aws-modules/rds-aurora/aws"
  version                     = "~> 7.0"
  name                        = "seven"
  engine                      = "aurora-mysql"
  instances                   = { one = {} }
  allowed_security_groups     = ["sg-12345678"]
  allowed_cidr_blocks         = ["10.20.0.0/20"]
  security_group_egress_rules = { to_cidrs = { cidr_blocks = ["10.33.0.0/28"] } }
}

module "ten" {
  source                       = "terraform-aws-modules/rds-aurora/aws"
  name                         = "ten"
  engine                       = "aurora-mysql"
  security_group_ingress_rules = { private = { cidr_ipv4 = "10.0.0.0/16" } }
  security_group_egress_rules  = { private = { cidr_ipv4 = "10.0.0.0/16" } }
  cluster_parameter_group      = { family = "aurora-mysql8.0", parameters = { require_secure_transport = { value = "ON" } } }
}
