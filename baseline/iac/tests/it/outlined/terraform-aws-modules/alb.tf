module "readme" {
  source  = "terraform-aws-modules/alb/aws"
  version = "~> 9.0"
  name    = "my-alb"
  vpc_id  = "vpc-abcde012"
  subnets = ["subnet-abcde012", "subnet-bcde012a"]

  security_group_ingress_rules = {
    all_http = { from_port = 80, to_port = 80, ip_protocol = "tcp", description = "HTTP web traffic", cidr_ipv4 = "0.0.0.0/0" }
  }
  security_group_egress_rules = { all = { ip_protocol = "-1", cidr_ipv4 = "10.0.0.0/16" } }
  access_logs                 = { bucket = "my-alb-logs" }
  associate_web_acl           = true
  web_acl_arn                 = var.acl

  listeners = {
    redirect = { port = 80, protocol = "HTTP", redirect = { port = "443", protocol = "HTTPS", status_code = "HTTP_301" } }
    https = {
      port            = 443
      protocol        = "HTTPS"
      certificate_arn = "arn:aws:iam::123456789012:server-certificate/test_cert-123456789012"
      forward         = { target_group_key = "instance" }
      rules           = { fixed = { priority = 3, actions = [{ type = "fixed-response", content_type = "text/plain" }], conditions = [{ path_pattern = { values = ["/"] } }] } }
    }
    fixed    = { port = 81, fixed_response = { content_type = "text/plain", message_body = "no", status_code = "200" } }
    weighted = { port = 82, weighted_forward = { target_groups = [{ target_group_key = "instance", weight = 1 }] } }
    cognito  = { port = 444, protocol = "HTTPS", authenticate_cognito = { user_pool_arn = "a", user_pool_client_id = "b", user_pool_domain = "c" }, forward = { target_group_key = "instance" } }
    oidc = {
      port     = 445
      protocol = "HTTPS"
      authenticate_oidc = {
        authorization_endpoint = "https://e/auth"
        client_id              = "i"
        client_secret          = var.secret
        issuer                 = "https://e"
        token_endpoint         = "https://e/token"
        user_info_endpoint     = "https://e/user"
      }
    }
  }
  target_groups = { instance = { name_prefix = "h1", protocol = "HTTP", port = 80, target_type = "instance", target_id = "i-0f6d38a07d50d080f", health_check = { path = "/" } } }
}

module "eight" {
  source             = "terraform-aws-modules/alb/aws"
  version            = "~> 8.0"
  name               = "eight"
  load_balancer_type = "application"
  vpc_id             = "vpc-1"
  subnets            = ["subnet-1"]
  web_acl_arn        = var.acl
  access_logs        = { bucket = "logs" }
  subnet_mapping     = [{ subnet_id = "subnet-1" }]

  security_group_rules = { http = { type = "ingress", from_port = 80, to_port = 80, protocol = "tcp", cidr_blocks = ["0.0.0.0/0"] } }
  http_tcp_listeners = [
    { port = 80, protocol = "HTTP", target_group_index = 0 },
    { port = 81, protocol = "HTTP", action_type = "redirect", redirect = { port = "443", protocol = "HTTPS", status_code = "HTTP_301" } },
    { port = 82, protocol = "HTTP", action_type = "fixed-response", fixed_response = { content_type = "text/plain" } },
  ]
  https_listeners         = [{ port = 443, certificate_arn = "arn:c", target_group_index = 0 }]
  https_listener_rules    = [{ https_listener_index = 0, actions = [{ type = "forward", target_group_index = 0 }], conditions = [{ path_patterns = ["/"] }] }]
  http_tcp_listener_rules = [{ http_tcp_listener_index = 0, actions = [{ type = "forward", target_group_index = 0 }], conditions = [{ path_patterns = ["/"] }] }]
  target_groups           = [{ name_prefix = "p", backend_protocol = "HTTP", backend_port = 80, target_type = "instance", health_check = { path = "/" } }]
}

module "plain" {
  source = "terraform-aws-modules/alb/aws"
}

module "not_known" {
  source             = "terraform-aws-modules/alb/aws"
  version            = "~> 6.0"
  name               = "not-known"
  http_tcp_listeners = var.listeners
  access_logs        = var.logs
  internal           = var.internal
}

variable "acl" {}
variable "internal" {}
variable "listeners" {}
variable "logs" {}
variable "secret" {}
