# The same as apps.yaml, in Terraform.
resource "aws_api_gateway_rest_api" "orders_good" {
  name = "nw-twin-orders-good"
  endpoint_configuration {
    types = ["PRIVATE"]
  }
}

resource "aws_api_gateway_rest_api" "orders_bad" {
  name = "nw-twin-orders-bad"
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_method" "ask_good" {
  rest_api_id   = aws_api_gateway_rest_api.orders_good.id
  resource_id   = aws_api_gateway_rest_api.orders_good.root_resource_id
  http_method   = "GET"
  authorization = "AWS_IAM"
}

resource "aws_api_gateway_method" "ask_bad" {
  rest_api_id   = aws_api_gateway_rest_api.orders_bad.id
  resource_id   = aws_api_gateway_rest_api.orders_bad.root_resource_id
  http_method   = "GET"
  authorization = "NONE"
}

resource "aws_api_gateway_stage" "stage_good" {
  rest_api_id           = aws_api_gateway_rest_api.orders_good.id
  deployment_id         = "out"
  stage_name            = "live"
  cache_cluster_enabled = true
  cache_cluster_size    = "0.5"
  xray_tracing_enabled  = true
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:123456789012:log-group:api"
    format          = "$context.requestId"
  }
}

resource "aws_api_gateway_method_settings" "stage_good" {
  rest_api_id = aws_api_gateway_rest_api.orders_good.id
  stage_name  = aws_api_gateway_stage.stage_good.stage_name
  method_path = "*/*"
  settings {
    logging_level        = "INFO"
    data_trace_enabled   = false
    caching_enabled      = true
    cache_data_encrypted = true
  }
}

resource "aws_api_gateway_stage" "stage_bad" {
  rest_api_id           = aws_api_gateway_rest_api.orders_bad.id
  deployment_id         = "out"
  stage_name            = "live"
  cache_cluster_enabled = true
  cache_cluster_size    = "0.5"
  variables             = { password = "AKIAQ3EGRJDEMO7ZXCVB" }
}

resource "aws_api_gateway_method_settings" "stage_bad" {
  rest_api_id = aws_api_gateway_rest_api.orders_bad.id
  stage_name  = aws_api_gateway_stage.stage_bad.stage_name
  method_path = "*/*"
  settings {
    logging_level        = "OFF"
    data_trace_enabled   = true
    caching_enabled      = false
    cache_data_encrypted = false
  }
}

resource "aws_api_gateway_domain_name" "host_good" {
  domain_name              = "good.nw-twin.example.com"
  security_policy          = "TLS_1_2"
  regional_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-4333-8444-555555555555"
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_domain_name" "host_bad" {
  domain_name              = "bad.nw-twin.example.com"
  security_policy          = "TLS_1_0"
  regional_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-4333-8444-555555555555"
  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_apigatewayv2_api" "cart_good" {
  name          = "nw-twin-cart-good"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_api" "cart_bad" {
  name          = "nw-twin-cart-bad"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_route" "way_good" {
  api_id             = aws_apigatewayv2_api.cart_good.id
  route_key          = "GET /"
  authorization_type = "AWS_IAM"
}

resource "aws_apigatewayv2_route" "way_bad" {
  api_id             = aws_apigatewayv2_api.cart_bad.id
  route_key          = "GET /"
  authorization_type = "NONE"
}

resource "aws_apigatewayv2_stage" "live_good" {
  api_id = aws_apigatewayv2_api.cart_good.id
  name   = "cart-good"
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:123456789012:log-group:api"
    format          = "$context.requestId"
  }
}

resource "aws_apigatewayv2_stage" "live_bad" {
  api_id = aws_apigatewayv2_api.cart_bad.id
  name   = "cart-bad"
}

resource "aws_bedrockagent_agent" "agent_good" {
  agent_name                  = "nw-twin-agent-good"
  agent_resource_role_arn     = local.role
  foundation_model            = "model"
  customer_encryption_key_arn = local.key
}

resource "aws_bedrockagent_agent" "agent_bad" {
  agent_name              = "nw-twin-agent-bad"
  agent_resource_role_arn = local.role
  foundation_model        = "model"
}

resource "aws_cloudfront_distribution" "site_good" {
  enabled             = true
  default_root_object = "index.html"
  web_acl_id          = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/edge/11111111-2222-4333-8444-555555555555"
  logging_config {
    bucket = "nw-twin-good.s3.amazonaws.com"
    prefix = "site"
  }
  viewer_certificate {
    cloudfront_default_certificate = true
  }
  restrictions {
    geo_restriction {
      restriction_type = "whitelist"
      locations        = ["DE"]
    }
  }
  default_cache_behavior {
    target_origin_id       = "app"
    viewer_protocol_policy = "redirect-to-https"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
  }
  origin {
    origin_id   = "app"
    domain_name = "app.example.com"
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }
}

resource "aws_cloudfront_distribution" "site_bad" {
  enabled = true
  viewer_certificate {
    cloudfront_default_certificate = true
  }
  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
  default_cache_behavior {
    target_origin_id       = "app"
    viewer_protocol_policy = "allow-all"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
  }
  origin {
    origin_id   = "app"
    domain_name = "app.example.com"
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["SSLv3"]
    }
  }
}

resource "aws_cloudtrail" "trail_good" {
  name                          = "nw-twin-trail-good"
  s3_bucket_name                = aws_s3_bucket.good.bucket
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  kms_key_id                    = local.key
}

resource "aws_cloudtrail" "trail_bad" {
  name                       = "nw-twin-trail-bad"
  s3_bucket_name             = aws_s3_bucket.good.bucket
  enable_logging             = false
  is_multi_region_trail      = false
  enable_log_file_validation = false
}

resource "aws_cloudwatch_metric_alarm" "alarm_good" {
  alarm_name          = "nw-twin-alarm-good"
  metric_name         = "Errors"
  namespace           = "Shop"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 1
  actions_enabled     = true
  alarm_actions       = [aws_sns_topic.topic.arn]
}

resource "aws_cloudwatch_metric_alarm" "alarm_bad" {
  alarm_name          = "nw-twin-alarm-bad"
  metric_name         = "Errors"
  namespace           = "Shop"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  period              = 60
  statistic           = "Sum"
  threshold           = 1
  actions_enabled     = false
}

resource "aws_codebuild_project" "build_good" {
  name         = "nw-twin-build-good"
  service_role = local.role
  source {
    type     = "S3"
    location = "nw-twin-good/source.zip"
  }
  artifacts {
    type                = "S3"
    location            = "nw-twin-good"
    encryption_disabled = false
  }
  environment {
    type            = "LINUX_CONTAINER"
    image           = "aws/codebuild/standard:7.0"
    compute_type    = "BUILD_GENERAL1_SMALL"
    privileged_mode = false
  }
  logs_config {
    cloudwatch_logs {
      status = "ENABLED"
    }
    s3_logs {
      status              = "ENABLED"
      location            = "nw-twin-good/logs"
      encryption_disabled = false
    }
  }
}

resource "aws_codebuild_project" "build_bad" {
  name         = "nw-twin-build-bad"
  service_role = local.role
  source {
    type     = "S3"
    location = "nw-twin-good/source.zip"
  }
  artifacts {
    type                = "S3"
    location            = "nw-twin-good"
    encryption_disabled = true
  }
  environment {
    type            = "LINUX_CONTAINER"
    image           = "aws/codebuild/standard:7.0"
    compute_type    = "BUILD_GENERAL1_SMALL"
    privileged_mode = true
    environment_variable {
      name  = "AWS_ACCESS_KEY_ID"
      value = "AKIAQ3EGRJDEMO7ZXCVB"
    }
  }
  logs_config {
    cloudwatch_logs {
      status = "DISABLED"
    }
    s3_logs {
      status              = "ENABLED"
      location            = "nw-twin-good/logs"
      encryption_disabled = true
    }
  }
}

resource "aws_codepipeline" "pipe_good" {
  name     = "nw-twin-pipe-good"
  role_arn = local.worker
  artifact_store {
    type     = "S3"
    location = "nw-twin-good"
    encryption_key {
      id   = local.key
      type = "KMS"
    }
  }
}

resource "aws_codepipeline" "pipe_bad" {
  name     = "nw-twin-pipe-bad"
  role_arn = local.worker
  artifact_store {
    type     = "S3"
    location = "nw-twin-good"
  }
}

resource "aws_cognito_user_pool" "members_good" {
  name                = "nw-twin-members-good"
  mfa_configuration   = "ON"
  deletion_protection = "ACTIVE"
  admin_create_user_config {
    allow_admin_create_user_only = true
  }
  user_pool_add_ons {
    advanced_security_mode = "ENFORCED"
  }
  password_policy {
    minimum_length                   = 16
    require_lowercase                = true
    require_uppercase                = true
    require_numbers                  = true
    require_symbols                  = true
    temporary_password_validity_days = 1
  }
}

resource "aws_cognito_user_pool" "members_bad" {
  name              = "nw-twin-members-bad"
  mfa_configuration = "OFF"
  password_policy {
    minimum_length                   = 6
    require_lowercase                = false
    require_uppercase                = false
    require_numbers                  = false
    require_symbols                  = false
    temporary_password_validity_days = 30
  }
}

resource "aws_cognito_identity_pool" "guests_good" {
  identity_pool_name               = "nw_twin_guests_good"
  allow_unauthenticated_identities = false
}

resource "aws_cognito_identity_pool" "guests_bad" {
  identity_pool_name               = "nw_twin_guests_bad"
  allow_unauthenticated_identities = true
}

resource "aws_config_configuration_aggregator" "view_good" {
  name = "nw-twin-view-good"
  account_aggregation_source {
    account_ids = ["123456789012"]
    all_regions = true
  }
}

resource "aws_config_configuration_aggregator" "view_bad" {
  name = "nw-twin-view-bad"
  account_aggregation_source {
    account_ids = ["123456789012"]
    regions     = ["us-east-1"]
  }
}

resource "aws_kinesis_firehose_delivery_stream" "hose_good" {
  name        = "nw-twin-hose-good"
  destination = "extended_s3"
  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = local.key
  }
}

resource "aws_kinesis_firehose_delivery_stream" "hose_bad" {
  name        = "nw-twin-hose-bad"
  destination = "extended_s3"
}

resource "aws_glue_crawler" "crawl_good" {
  name                   = "nw-twin-crawl-good"
  role                   = local.role
  database_name          = "lake"
  security_configuration = "sealed"
}

resource "aws_glue_crawler" "crawl_bad" {
  name          = "nw-twin-crawl-bad"
  role          = local.role
  database_name = "lake"
}

resource "aws_glue_dev_endpoint" "dev_good" {
  name                   = "nw-twin-dev-good"
  role_arn               = local.role
  security_configuration = "sealed"
}

resource "aws_glue_dev_endpoint" "dev_bad" {
  name     = "nw-twin-dev-bad"
  role_arn = local.role
}

resource "aws_glue_job" "etl_good" {
  name                   = "nw-twin-etl-good"
  role_arn               = local.role
  security_configuration = "sealed"
}

resource "aws_glue_job" "etl_bad" {
  name     = "nw-twin-etl-bad"
  role_arn = local.role
}

resource "aws_glue_security_configuration" "sealed_good" {
  name = "nw-twin-sealed-good"
  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = local.key
    }
    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = local.key
    }
    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = local.key
    }
  }
}

resource "aws_glue_security_configuration" "sealed_bad" {
  name = "nw-twin-sealed-bad"
  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "DISABLED"
    }
    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "DISABLED"
    }
    s3_encryption {
      s3_encryption_mode = "DISABLED"
    }
  }
}

resource "aws_msk_cluster" "log_bus_good" {
  cluster_name           = "nw-twin-bus-good"
  kafka_version          = "3.7.x"
  number_of_broker_nodes = 2
  enhanced_monitoring    = "PER_TOPIC_PER_BROKER"
  broker_node_group_info {
    instance_type  = "kafka.m5.large"
    client_subnets = ["subnet-1", "subnet-2"]
    connectivity_info {
      public_access {
        type = "DISABLED"
      }
    }
  }
  client_authentication {
    unauthenticated = false
    sasl {
      iam = true
    }
  }
  encryption_info {
    encryption_at_rest_kms_key_arn = local.key
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }
  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = "bus"
      }
    }
  }
}

resource "aws_msk_cluster" "log_bus_bad" {
  cluster_name           = "nw-twin-bus-bad"
  kafka_version          = "3.7.x"
  number_of_broker_nodes = 2
  broker_node_group_info {
    instance_type  = "kafka.m5.large"
    client_subnets = ["subnet-1", "subnet-2"]
    connectivity_info {
      public_access {
        type = "SERVICE_PROVIDED_EIPS"
      }
    }
  }
  client_authentication {
    unauthenticated = true
  }
  encryption_info {
    encryption_in_transit {
      client_broker = "PLAINTEXT"
      in_cluster    = false
    }
  }
}

resource "aws_kinesis_video_stream" "eye_good" {
  name       = "nw-twin-eye-good"
  kms_key_id = local.key
}

resource "aws_kinesis_video_stream" "eye_bad" {
  name = "nw-twin-eye-bad"
}

resource "aws_mq_broker" "broker_good" {
  broker_name                = "nw-twin-broker-good"
  engine_type                = "ActiveMQ"
  engine_version             = "5.18"
  host_instance_type         = "mq.m5.large"
  deployment_mode            = "ACTIVE_STANDBY_MULTI_AZ"
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  encryption_options {
    kms_key_id        = local.key
    use_aws_owned_key = false
  }
  logs {
    general = true
    audit   = true
  }
}

resource "aws_mq_broker" "broker_bad" {
  broker_name                = "nw-twin-broker-bad"
  engine_type                = "ActiveMQ"
  engine_version             = "5.18"
  host_instance_type         = "mq.m5.large"
  deployment_mode            = "SINGLE_INSTANCE"
  publicly_accessible        = true
  auto_minor_version_upgrade = false
}

resource "aws_networkfirewall_firewall" "wall_good" {
  name                     = "nw-twin-wall-good"
  firewall_policy_arn      = "arn:aws:network-firewall:us-east-1:123456789012:firewall-policy/all"
  vpc_id                   = "vpc-1"
  delete_protection        = true
  subnet_change_protection = true
}

resource "aws_networkfirewall_firewall" "wall_bad" {
  name                     = "nw-twin-wall-bad"
  firewall_policy_arn      = "arn:aws:network-firewall:us-east-1:123456789012:firewall-policy/all"
  vpc_id                   = "vpc-1"
  delete_protection        = false
  subnet_change_protection = false
}

resource "aws_networkfirewall_logging_configuration" "wall_good" {
  firewall_arn = aws_networkfirewall_firewall.wall_good.arn
  logging_configuration {
    log_destination_config {
      log_type             = "FLOW"
      log_destination_type = "S3"
      log_destination      = { bucketName = "nw-twin-good" }
    }
  }
}

resource "aws_ram_resource_share" "share_good" {
  name                      = "nw-twin-share-good"
  allow_external_principals = false
}

resource "aws_ram_resource_share" "share_bad" {
  name                      = "nw-twin-share-bad"
  allow_external_principals = true
}

resource "aws_route53_zone" "zone_good" {
  name = "good.nw-twin.example.com"
}

resource "aws_route53_query_log" "zone_good" {
  zone_id                  = aws_route53_zone.zone_good.zone_id
  cloudwatch_log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/route53/nw-twin-good"
}

resource "aws_route53_zone" "zone_bad" {
  name = "bad.nw-twin.example.com"
}

resource "aws_s3_access_point" "gate_good" {
  name   = "nw-twin-gate-good"
  bucket = aws_s3_bucket.good.id
  public_access_block_configuration {
    block_public_acls       = true
    ignore_public_acls      = true
    block_public_policy     = true
    restrict_public_buckets = true
  }
}

resource "aws_s3_access_point" "gate_bad" {
  name   = "nw-twin-gate-bad"
  bucket = aws_s3_bucket.bad.id
  public_access_block_configuration {
    block_public_acls       = false
    ignore_public_acls      = false
    block_public_policy     = false
    restrict_public_buckets = false
  }
}

resource "aws_sagemaker_data_quality_job_definition" "quality_good" {
  name     = "nw-twin-quality-good"
  role_arn = local.role
  data_quality_job_output_config {
    kms_key_id = local.key
    monitoring_outputs {
      s3_output {
        s3_uri = "s3://nw-twin-good"
      }
    }
  }
  job_resources {
    cluster_config {
      instance_count    = 1
      instance_type     = "ml.m5.large"
      volume_size_in_gb = 20
      volume_kms_key_id = local.key
    }
  }
  network_config {
    enable_inter_container_traffic_encryption = true
  }
}

resource "aws_sagemaker_data_quality_job_definition" "quality_bad" {
  name     = "nw-twin-quality-bad"
  role_arn = local.role
  data_quality_job_output_config {
    monitoring_outputs {
      s3_output {
        s3_uri = "s3://nw-twin-good"
      }
    }
  }
  job_resources {
    cluster_config {
      instance_count    = 1
      instance_type     = "ml.m5.large"
      volume_size_in_gb = 20
    }
  }
}

resource "aws_sagemaker_domain" "studio_good" {
  domain_name = "nw-twin-studio-good"
  auth_mode   = "IAM"
  kms_key_id  = local.key
  vpc_id      = "vpc-1"
  subnet_ids  = ["subnet-1"]
}

resource "aws_sagemaker_domain" "studio_bad" {
  domain_name = "nw-twin-studio-bad"
  auth_mode   = "IAM"
  vpc_id      = "vpc-1"
  subnet_ids  = ["subnet-1"]
}

resource "aws_sagemaker_model" "model_bad" {
  name               = "nw-twin-model-bad"
  execution_role_arn = local.role
}

resource "aws_sagemaker_endpoint_configuration" "hosting_good" {
  name        = "nw-twin-hosting-good"
  kms_key_arn = local.key
  production_variants {
    model_name    = "nw-twin-model-good"
    variant_name  = "all"
    instance_type = "ml.m5.large"
  }
}

resource "aws_sagemaker_endpoint_configuration" "hosting_bad" {
  name = "nw-twin-hosting-bad"
  production_variants {
    model_name    = "nw-twin-model-good"
    variant_name  = "all"
    instance_type = "ml.m5.large"
  }
}

resource "aws_sagemaker_notebook_instance" "book_good" {
  name                   = "nw-twin-book-good"
  instance_type          = "ml.t3.medium"
  role_arn               = local.role
  root_access            = "Disabled"
  direct_internet_access = "Disabled"
  subnet_id              = "subnet-1"
  security_groups        = ["sg-1"]
  kms_key_id             = local.key
}

resource "aws_sagemaker_notebook_instance" "book_bad" {
  name                   = "nw-twin-book-bad"
  instance_type          = "ml.t3.medium"
  role_arn               = local.role
  root_access            = "Enabled"
  direct_internet_access = "Enabled"
}

resource "aws_scheduler_schedule" "tick_good" {
  name                = "nw-twin-tick-good"
  schedule_expression = "rate(1 day)"
  kms_key_arn         = local.key
}

resource "aws_scheduler_schedule" "tick_bad" {
  name                = "nw-twin-tick-bad"
  schedule_expression = "rate(1 day)"
}

resource "aws_sesv2_configuration_set" "mail_good" {
  configuration_set_name = "nw-twin-mail-good"
  delivery_options {
    tls_policy = "REQUIRE"
  }
}

resource "aws_sesv2_configuration_set" "mail_bad" {
  configuration_set_name = "nw-twin-mail-bad"
}

resource "aws_sns_topic_subscription" "hear_good" {
  topic_arn = aws_sns_topic.topic.arn
  protocol  = "https"
  endpoint  = "https://nw-twin-hear-good.example.com"
}

resource "aws_sns_topic_subscription" "hear_bad" {
  topic_arn = aws_sns_topic.topic.arn
  protocol  = "http"
  endpoint  = "http://nw-twin-hear-bad.example.com"
}

resource "aws_sfn_state_machine" "flow_good" {
  name       = "nw-twin-flow-good"
  role_arn   = local.role
  definition = "{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Pass\",\"End\":true}}}"
  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "arn:aws:logs:us-east-1:123456789012:log-group:flow:*"
  }
  tracing_configuration {
    enabled = true
  }
  encryption_configuration {
    type       = "CUSTOMER_MANAGED_KMS_KEY"
    kms_key_id = local.key
  }
}

resource "aws_sfn_state_machine" "flow_bad" {
  name       = "nw-twin-flow-bad"
  role_arn   = local.role
  definition = "{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Pass\",\"Result\":{\"aws_access_key_id\":\"AKIAQ3EGRJDEMO7ZXCVB\"},\"End\":true}}}"
}

resource "aws_transfer_server" "drop_good" {
  protocols            = ["SFTP"]
  endpoint_type        = "VPC"
  logging_role         = local.role
  security_policy_name = "TransferSecurityPolicy-2024-01"
}

resource "aws_transfer_server" "drop_bad" {
  protocols            = ["SFTP", "FTP"]
  endpoint_type        = "PUBLIC"
  security_policy_name = "TransferSecurityPolicy-2018-11"
}

resource "aws_wafv2_web_acl" "acl_good" {
  name  = "nw-twin-acl-good"
  scope = "REGIONAL"
  default_action {
    allow {}
  }
  rule {
    name     = "known-bad"
    priority = 1
    override_action {
      none {}
    }
    statement {
      managed_rule_group_statement {
        vendor_name = "AWS"
        name        = "AWSManagedRulesKnownBadInputsRuleSet"
      }
    }
    visibility_config {
      sampled_requests_enabled   = true
      cloudwatch_metrics_enabled = true
      metric_name                = "acl"
    }
  }
  visibility_config {
    sampled_requests_enabled   = true
    cloudwatch_metrics_enabled = true
    metric_name                = "acl"
  }
}

resource "aws_wafv2_web_acl" "acl_bad" {
  name  = "nw-twin-acl-bad"
  scope = "REGIONAL"
  default_action {
    allow {}
  }
  visibility_config {
    sampled_requests_enabled   = false
    cloudwatch_metrics_enabled = false
    metric_name                = "acl"
  }
}

resource "aws_wafv2_web_acl_logging_configuration" "acl_good" {
  resource_arn            = aws_wafv2_web_acl.acl_good.arn
  log_destination_configs = ["arn:aws:firehose:us-east-1:123456789012:deliverystream/aws-waf-logs-nw"]
}

resource "aws_appsync_graphql_api" "asking_good" {
  name                = "nw-twin-graphql-good"
  authentication_type = "AWS_IAM"
  xray_enabled        = true
  log_config {
    field_log_level          = "ALL"
    cloudwatch_logs_role_arn = local.role
  }
}

resource "aws_appsync_graphql_api" "asking_bad" {
  name                = "nw-twin-graphql-bad"
  authentication_type = "API_KEY"
}

resource "aws_athena_workgroup" "analysts_good" {
  name = "nw-twin-analysts-good"
  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    result_configuration {
      output_location = "s3://nw-twin-good/"
      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

resource "aws_athena_workgroup" "analysts_bad" {
  name = "nw-twin-analysts-bad"
  configuration {
    enforce_workgroup_configuration    = false
    publish_cloudwatch_metrics_enabled = false
  }
}

resource "aws_iam_group" "crew_good" {
  name = "nw-twin-crew-good"
}

resource "aws_iam_group_policy" "crew_good" {
  name   = "read"
  group  = aws_iam_group.crew_good.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::nw-twin-good/*" }] })
}

resource "aws_iam_group" "crew_bad" {
  name = "nw-twin-crew-bad"
}

resource "aws_iam_group_policy" "crew_bad" {
  name   = "all"
  group  = aws_iam_group.crew_bad.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
}

resource "aws_iam_group_policy_attachment" "crew_bad" {
  group      = aws_iam_group.crew_bad.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

resource "aws_secretsmanager_secret" "secret_bad" {
  name = "nw-twin-secret-bad"
}
