# A database instance with its parameter group; groups of subnets and options are left out: no kind reads them.
#
# Never declares: anything else

variable "version" {}

variable "create_db_instance" { default = true }
variable "create_db_subnet_group" { default = null } # true before 4.0
variable "cross_region_replica" { default = false }
variable "create_db_parameter_group" { default = true }
variable "parameter_group_use_name_prefix" { default = true }
variable "family" { default = null }
variable "parameters" { default = [] }
variable "db_instance_tags" { default = {} }
variable "db_parameter_group_tags" { default = {} }
variable "engine" { default = null }
variable "engine_version" { default = null }
variable "instance_class" { default = null }
variable "allocated_storage" { default = null }
variable "storage_type" { default = null }
variable "storage_encrypted" { default = null }
variable "kms_key_id" { default = null }
variable "identifier" { default = "" }
variable "username" { default = null }
variable "port" { default = null }
variable "iam_database_authentication_enabled" { default = false }
variable "replicate_source_db" { default = null }
variable "vpc_security_group_ids" { default = null }
variable "db_subnet_group_name" { default = null }
variable "parameter_group_name" { default = null }
variable "multi_az" { default = false }
variable "publicly_accessible" { default = false }
variable "ca_cert_identifier" { default = null }
variable "auto_minor_version_upgrade" { default = true }
variable "copy_tags_to_snapshot" { default = null }
variable "performance_insights_enabled" { default = false }
variable "performance_insights_kms_key_id" { default = null }
variable "backup_retention_period" { default = null }
variable "monitoring_interval" { default = 0 }
variable "monitoring_role_arn" { default = null }
variable "monitoring_role_name" { default = "rds-monitoring-role" }
variable "monitoring_role_use_name_prefix" { default = false }
variable "monitoring_role_permissions_boundary" { default = null }
variable "create_monitoring_role" { default = false }
variable "enabled_cloudwatch_logs_exports" { default = [] }
variable "create_cloudwatch_log_group" { default = false }
variable "cloudwatch_log_group_retention_in_days" { default = 7 }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "deletion_protection" { default = null }
variable "tags" { default = {} }

# The group that the module makes of the subnets it is given.
variable "subnet_group_of_the_module" {}

locals {
  makes_group  = try(coalesce(var.create_db_subnet_group, var.version < 40000), var.version < 40000)
  subnet_group = !var.cross_region_replica && var.replicate_source_db != null ? null : local.makes_group ? var.subnet_group_of_the_module : var.db_subnet_group_name
}

module "db_parameter_group" {
  source = "terraform-aws-modules/rds/aws//modules/db_parameter_group"

  create          = var.create_db_parameter_group
  name            = try(coalesce(var.parameter_group_name, var.identifier), "")
  use_name_prefix = var.parameter_group_use_name_prefix
  family          = var.family
  parameters      = var.parameters
  tags            = merge(var.tags, var.db_parameter_group_tags)
}

module "db_instance" {
  source = "terraform-aws-modules/rds/aws//modules/db_instance"

  create                                 = var.create_db_instance
  engine                                 = var.engine
  engine_version                         = var.engine_version
  instance_class                         = var.instance_class
  allocated_storage                      = var.allocated_storage
  storage_type                           = var.storage_type
  storage_encrypted                      = var.storage_encrypted
  kms_key_id                             = var.kms_key_id
  identifier                             = var.identifier
  username                               = var.username
  port                                   = var.port
  iam_database_authentication_enabled    = var.iam_database_authentication_enabled
  replicate_source_db                    = var.replicate_source_db
  vpc_security_group_ids                 = var.vpc_security_group_ids
  db_subnet_group_name                   = local.subnet_group
  parameter_group_name                   = var.create_db_parameter_group ? module.db_parameter_group.db_parameter_group_id : var.parameter_group_name
  multi_az                               = var.multi_az
  publicly_accessible                    = var.publicly_accessible
  ca_cert_identifier                     = var.ca_cert_identifier
  auto_minor_version_upgrade             = var.auto_minor_version_upgrade
  copy_tags_to_snapshot                  = var.copy_tags_to_snapshot
  performance_insights_enabled           = var.performance_insights_enabled
  performance_insights_kms_key_id        = var.performance_insights_kms_key_id
  backup_retention_period                = var.backup_retention_period
  monitoring_interval                    = var.monitoring_interval
  monitoring_role_arn                    = var.monitoring_role_arn
  monitoring_role_name                   = var.monitoring_role_name
  monitoring_role_use_name_prefix        = var.monitoring_role_use_name_prefix
  monitoring_role_permissions_boundary   = var.monitoring_role_permissions_boundary
  create_monitoring_role                 = var.create_monitoring_role
  enabled_cloudwatch_logs_exports        = var.enabled_cloudwatch_logs_exports
  create_cloudwatch_log_group            = var.create_cloudwatch_log_group
  cloudwatch_log_group_retention_in_days = var.cloudwatch_log_group_retention_in_days
  cloudwatch_log_group_kms_key_id        = var.cloudwatch_log_group_kms_key_id
  deletion_protection                    = var.deletion_protection
  tags                                   = merge(var.tags, var.db_instance_tags)
}

output "db_instance_arn" { value = module.db_instance.db_instance_arn }
output "db_instance_address" { value = module.db_instance.db_instance_address }
output "db_instance_endpoint" { value = module.db_instance.db_instance_endpoint }
output "db_instance_identifier" { value = module.db_instance.db_instance_identifier }
output "db_instance_id" { value = module.db_instance.db_instance_id }
