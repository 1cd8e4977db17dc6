# The same as data.yaml, in Terraform.
resource "aws_vpc" "net" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "subnet_a" {
  vpc_id            = aws_vpc.net.id
  cidr_block        = "10.20.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_subnet" "subnet_b" {
  vpc_id            = aws_vpc.net.id
  cidr_block        = "10.20.2.0/24"
  availability_zone = "us-east-1b"
}

resource "aws_rds_cluster" "aurora_good" {
  cluster_identifier                  = "nw-twin-aurora-good"
  engine                              = "aurora-mysql"
  engine_version                      = "8.0.mysql_aurora.3.08.0"
  master_username                     = "keeper"
  manage_master_user_password         = true
  storage_encrypted                   = true
  kms_key_id                          = local.key
  backup_retention_period             = 35
  deletion_protection                 = true
  iam_database_authentication_enabled = true
  copy_tags_to_snapshot               = true
  backtrack_window                    = 86400
  enabled_cloudwatch_logs_exports     = ["audit", "error", "general", "slowquery"]
  port                                = 4406
}

resource "aws_rds_cluster" "aurora_bad" {
  cluster_identifier          = "nw-twin-aurora-bad"
  engine                      = "aurora-mysql"
  engine_version              = "8.0.mysql_aurora.3.08.0"
  master_username             = "admin"
  manage_master_user_password = true
  storage_encrypted           = false
}

resource "aws_db_instance" "database_good" {
  identifier                          = "nw-twin-database-good"
  db_name                             = "orders"
  instance_class                      = "db.t4g.medium"
  engine                              = "postgres"
  engine_version                      = "16.4"
  allocated_storage                   = 20
  username                            = "keeper"
  manage_master_user_password         = true
  storage_encrypted                   = true
  kms_key_id                          = local.key
  publicly_accessible                 = false
  multi_az                            = true
  backup_retention_period             = 35
  auto_minor_version_upgrade          = true
  deletion_protection                 = true
  iam_database_authentication_enabled = true
  copy_tags_to_snapshot               = true
  monitoring_interval                 = 60
  monitoring_role_arn                 = local.role
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"
  port                                = 6543
}

resource "aws_db_instance" "database_bad" {
  identifier                  = "nw-twin-database-bad"
  instance_class              = "db.t4g.medium"
  engine                      = "postgres"
  engine_version              = "16.4"
  allocated_storage           = 20
  username                    = "postgres"
  manage_master_user_password = true
  publicly_accessible         = true
  backup_retention_period     = 0
  auto_minor_version_upgrade  = false
  ca_cert_identifier          = "rds-ca-2019"
  port                        = 5432
}

resource "aws_db_instance" "mysql_bad" {
  identifier                  = "nw-twin-mysql-bad"
  instance_class              = "db.t4g.medium"
  engine                      = "mysql"
  engine_version              = "8.0.39"
  allocated_storage           = 20
  username                    = "admin"
  manage_master_user_password = true
  publicly_accessible         = false
  backup_retention_period     = 1
  ca_cert_identifier          = "rds-ca-rsa2048-g1"
}

resource "aws_db_proxy" "proxy_good" {
  name           = "nw-twin-proxy-good"
  engine_family  = "POSTGRESQL"
  require_tls    = true
  role_arn       = local.role
  vpc_subnet_ids = [aws_subnet.subnet_a.id, aws_subnet.subnet_b.id]
}

resource "aws_db_proxy" "proxy_bad" {
  name           = "nw-twin-proxy-bad"
  engine_family  = "POSTGRESQL"
  require_tls    = false
  role_arn       = local.role
  vpc_subnet_ids = [aws_subnet.subnet_a.id, aws_subnet.subnet_b.id]
}

resource "aws_rds_global_cluster" "global_good" {
  global_cluster_identifier = "nw-twin-global-good"
  engine                    = "aurora-mysql"
  storage_encrypted         = true
}

resource "aws_rds_global_cluster" "global_bad" {
  global_cluster_identifier = "nw-twin-global-bad"
  engine                    = "aurora-mysql"
  storage_encrypted         = false
}

resource "aws_redshift_cluster" "warehouse_good" {
  cluster_identifier                  = "nw-twin-warehouse-good"
  cluster_type                        = "multi-node"
  number_of_nodes                     = 2
  node_type                           = "ra3.large"
  database_name                       = "orders"
  master_username                     = "keeper"
  manage_master_password              = true
  publicly_accessible                 = false
  encrypted                           = true
  kms_key_id                          = local.key
  enhanced_vpc_routing                = true
  automated_snapshot_retention_period = 14
  allow_version_upgrade               = true
  port                                = 5440
}

resource "aws_redshift_logging" "warehouse_good" {
  cluster_identifier   = aws_redshift_cluster.warehouse_good.id
  log_destination_type = "s3"
  bucket_name          = "nw-twin-good"
}

resource "aws_redshift_cluster" "warehouse_bad" {
  cluster_identifier     = "nw-twin-warehouse-bad"
  cluster_type           = "single-node"
  node_type              = "ra3.large"
  database_name          = "dev"
  master_username        = "awsuser"
  manage_master_password = true
  publicly_accessible    = true
  encrypted              = false
  allow_version_upgrade  = false
}

resource "aws_redshift_parameter_group" "warehouse_settings_bad" {
  name   = "nw-twin-warehouse-settings-bad"
  family = "redshift-1.0"
}

resource "aws_docdb_cluster" "documents_good" {
  cluster_identifier              = "nw-twin-documents-good"
  engine_version                  = "5.0.0"
  master_username                 = "keeper"
  manage_master_user_password     = true
  storage_encrypted               = true
  kms_key_id                      = local.key
  backup_retention_period         = 35
  deletion_protection             = true
  enabled_cloudwatch_logs_exports = ["audit", "profiler"]
}

resource "aws_docdb_cluster" "documents_bad" {
  cluster_identifier          = "nw-twin-documents-bad"
  engine_version              = "5.0.0"
  master_username             = "keeper"
  manage_master_user_password = true
}

resource "aws_docdb_cluster_parameter_group" "document_settings_good" {
  name   = "nw-twin-document-settings-good"
  family = "docdb5.0"
  parameter {
    name  = "tls"
    value = "enabled"
  }
  parameter {
    name  = "audit_logs"
    value = "enabled"
  }
}

resource "aws_docdb_cluster_parameter_group" "document_settings_bad" {
  name   = "nw-twin-document-settings-bad"
  family = "docdb5.0"
  parameter {
    name  = "tls"
    value = "disabled"
  }
  parameter {
    name  = "audit_logs"
    value = "disabled"
  }
}

resource "aws_neptune_cluster" "graph_good" {
  cluster_identifier             = "nw-twin-graph-good"
  storage_encrypted              = true
  kms_key_arn                    = local.key
  backup_retention_period        = 35
  deletion_protection            = true
  copy_tags_to_snapshot          = true
  enable_cloudwatch_logs_exports = ["audit"]
}

resource "aws_neptune_cluster" "graph_bad" {
  cluster_identifier = "nw-twin-graph-bad"
}

resource "aws_elasticache_replication_group" "cache_good" {
  replication_group_id       = "nw-twin-cache-good"
  description                = "sessions"
  engine                     = "redis"
  node_type                  = "cache.t4g.small"
  num_cache_clusters         = 2
  at_rest_encryption_enabled = true
  kms_key_id                 = local.key
  transit_encryption_enabled = true
  auth_token                 = "not-a-secret-not-a-secret"
  automatic_failover_enabled = true
  multi_az_enabled           = true
  snapshot_retention_limit   = 7
  auto_minor_version_upgrade = true
}

resource "aws_elasticache_replication_group" "cache_bad" {
  replication_group_id       = "nw-twin-cache-bad"
  description                = "sessions"
  engine                     = "redis"
  node_type                  = "cache.t4g.small"
  num_cache_clusters         = 1
  auto_minor_version_upgrade = false
}

resource "aws_elasticache_cluster" "lone_cache_good" {
  cluster_id                 = "nw-twin-lone-good"
  engine                     = "redis"
  node_type                  = "cache.t4g.small"
  num_cache_nodes            = 1
  snapshot_retention_limit   = 7
  auto_minor_version_upgrade = true
  subnet_group_name          = "nw-twin-subnets"
}

resource "aws_elasticache_cluster" "lone_cache_bad" {
  cluster_id                 = "nw-twin-lone-bad"
  engine                     = "redis"
  node_type                  = "cache.t4g.small"
  num_cache_nodes            = 1
  auto_minor_version_upgrade = false
}

resource "aws_memorydb_cluster" "sessions_good" {
  name                       = "nw-twin-sessions-good"
  node_type                  = "db.t4g.small"
  acl_name                   = "nw-acl"
  tls_enabled                = true
  kms_key_arn                = local.key
  snapshot_retention_limit   = 7
  auto_minor_version_upgrade = true
}

resource "aws_memorydb_cluster" "sessions_bad" {
  name                       = "nw-twin-sessions-bad"
  node_type                  = "db.t4g.small"
  acl_name                   = "open-access"
  tls_enabled                = false
  auto_minor_version_upgrade = false
}

resource "aws_dax_cluster" "accelerator_good" {
  cluster_name                     = "nw-twin-dax-good"
  node_type                        = "dax.t3.small"
  replication_factor               = 1
  iam_role_arn                     = local.role
  cluster_endpoint_encryption_type = "TLS"
  server_side_encryption {
    enabled = true
  }
}

resource "aws_dax_cluster" "accelerator_bad" {
  cluster_name                     = "nw-twin-dax-bad"
  node_type                        = "dax.t3.small"
  replication_factor               = 1
  iam_role_arn                     = local.role
  cluster_endpoint_encryption_type = "NONE"
}

resource "aws_opensearch_domain" "search_good" {
  domain_name    = "nw-twin-search-good"
  engine_version = "OpenSearch_2.17"
  cluster_config {
    instance_count           = 3
    zone_awareness_enabled   = true
    dedicated_master_enabled = true
    dedicated_master_count   = 3
  }
  encrypt_at_rest {
    enabled    = true
    kms_key_id = local.key
  }
  node_to_node_encryption {
    enabled = true
  }
  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }
  advanced_security_options {
    enabled                        = true
    internal_user_database_enabled = false
    master_user_options {
      master_user_arn = local.role
    }
  }
  vpc_options {
    subnet_ids         = [aws_subnet.subnet_a.id, aws_subnet.subnet_b.id]
    security_group_ids = ["sg-0123456789abcdef0"]
  }
  dynamic "log_publishing_options" {
    for_each = ["AUDIT_LOGS", "INDEX_SLOW_LOGS", "SEARCH_SLOW_LOGS"]
    content {
      log_type                 = log_publishing_options.value
      cloudwatch_log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:search"
    }
  }
}

resource "aws_opensearch_domain" "search_bad" {
  domain_name    = "nw-twin-search-bad"
  engine_version = "OpenSearch_2.17"
  access_policies = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "es:*", Resource = "arn:aws:es:us-east-1:123456789012:domain/nw-twin-search-bad/*" }]
  })
}

resource "aws_efs_file_system" "files_good" {
  encrypted  = true
  kms_key_id = local.key
}

resource "aws_efs_backup_policy" "files_good" {
  file_system_id = aws_efs_file_system.files_good.id
  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_file_system" "files_bad" {
  encrypted = false
}

resource "aws_efs_file_system_policy" "files_bad" {
  file_system_id = aws_efs_file_system.files_bad.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "elasticfilesystem:*" }]
  })
}

resource "aws_efs_access_point" "door_good" {
  file_system_id = aws_efs_file_system.files_good.id
  posix_user {
    uid = 1000
    gid = 1000
  }
  root_directory {
    path = "/app"
  }
}

resource "aws_efs_access_point" "door_bad" {
  file_system_id = aws_efs_file_system.files_good.id
}

resource "aws_fsx_lustre_file_system" "lustre_good" {
  storage_capacity = 1200
  subnet_ids       = [aws_subnet.subnet_a.id]
  kms_key_id       = local.key
}

resource "aws_fsx_lustre_file_system" "lustre_bad" {
  storage_capacity = 1200
  subnet_ids       = [aws_subnet.subnet_a.id]
}

resource "aws_dms_endpoint" "source_good" {
  endpoint_id   = "nw-twin-source-good"
  endpoint_type = "source"
  engine_name   = "mysql"
  ssl_mode      = "verify-full"
  kms_key_arn   = local.key
}

resource "aws_dms_endpoint" "source_bad" {
  endpoint_id   = "nw-twin-source-bad"
  endpoint_type = "source"
  engine_name   = "mysql"
  ssl_mode      = "none"
}

resource "aws_dms_replication_instance" "copier_good" {
  replication_instance_id    = "nw-twin-copier-good"
  replication_instance_class = "dms.t3.micro"
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  multi_az                   = true
  kms_key_arn                = local.key
}

resource "aws_dms_replication_instance" "copier_bad" {
  replication_instance_id    = "nw-twin-copier-bad"
  replication_instance_class = "dms.t3.micro"
  publicly_accessible        = true
  auto_minor_version_upgrade = false
  multi_az                   = false
}

resource "aws_backup_vault" "vault_good" {
  name        = "nw-twin-vault-good"
  kms_key_arn = local.key
}

resource "aws_backup_vault_lock_configuration" "vault_good" {
  backup_vault_name  = aws_backup_vault.vault_good.name
  min_retention_days = 7
}

resource "aws_backup_vault" "vault_bad" {
  name = "nw-twin-vault-bad"
}
