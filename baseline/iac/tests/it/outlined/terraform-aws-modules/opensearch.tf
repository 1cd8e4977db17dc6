module "readme" {
  source                    = "terraform-aws-modules/opensearch/aws"
  version                   = "~> 1.0"
  domain_name               = "example"
  engine_version            = "OpenSearch_2.11"
  advanced_security_options = { enabled = false, internal_user_database_enabled = true }
  cluster_config            = { instance_count = 3, zone_awareness_config = { availability_zone_count = 3 } }
  domain_endpoint_options   = { enforce_https = true }
  vpc_options               = { subnet_ids = ["subnet-1"] }
  security_group_rules      = { https = { type = "ingress", description = "HTTPS from VPC", cidr_ipv4 = "10.0.0.0/16" }, out = { type = "egress", ip_protocol = "-1", cidr_ipv4 = "0.0.0.0/0" } }
  access_policy_statements  = [{ effect = "Allow", principals = [{ type = "*", identifiers = ["*"] }], actions = ["es:*"] }]
  create_saml_options       = true
  saml_options              = { enabled = true }
  cognito_options           = { enabled = true, identity_pool_id = "a", role_arn = "b", user_pool_id = "c" }
}

module "plain" {
  source      = "terraform-aws-modules/opensearch/aws"
  domain_name = "plain"
}
