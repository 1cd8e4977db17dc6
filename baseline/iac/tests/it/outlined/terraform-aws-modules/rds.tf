module "readme" {
  source            = "terraform-aws-modules/rds/aws"
  version           = "~> 6.0"
  identifier        = "demodb"
  engine            = "mysql"
  engine_version    = "8.0"
  instance_class    = "db.t3.large"
  allocated_storage = 5
  db_name           = "demodb"
  username          = "user"
  port              = "3306"

  iam_database_authentication_enabled = true
  vpc_security_group_ids              = ["sg-12345678"]
  monitoring_interval                 = "30"
  monitoring_role_name                = "MyRDSMonitoringRole"
  create_monitoring_role              = true
  create_db_subnet_group              = true
  subnet_ids                          = ["subnet-1", "subnet-2"]
  family                              = "mysql8.0"
  major_engine_version                = "8.0"
  deletion_protection                 = true
  create_cloudwatch_log_group         = true
  enabled_cloudwatch_logs_exports     = ["general"]
  parameters                          = [{ name = "require_secure_transport", value = "1" }]
}

module "old" {
  source              = "terraform-aws-modules/rds/aws"
  version             = "3.5.0"
  identifier          = "old"
  engine              = "sqlserver-ex"
  username            = "sa"
  publicly_accessible = true
}

module "plain" {
  source     = "terraform-aws-modules/rds/aws"
  identifier = "plain"
}

module "part" {
  source                  = "terraform-aws-modules/rds/aws//modules/db_instance"
  version                 = "~> 5.0"
  identifier              = "part"
  engine                  = "postgres"
  instance_class          = "db.t3.micro"
  storage_encrypted       = false
  backup_retention_period = 0
}

module "parameters" {
  source     = "terraform-aws-modules/rds/aws//modules/db_parameter_group"
  name       = "parameters"
  family     = "postgres16"
  parameters = [{ name = "rds.force_ssl", value = "1" }]
}

module "not_known" {
  source            = "terraform-aws-modules/rds/aws"
  identifier        = var.name
  engine            = var.name
  storage_encrypted = var.encrypted
  parameters        = var.parameters

  enabled_cloudwatch_logs_exports = var.logs
}

variable "encrypted" {}
variable "logs" {}
variable "name" {}
variable "parameters" {}
