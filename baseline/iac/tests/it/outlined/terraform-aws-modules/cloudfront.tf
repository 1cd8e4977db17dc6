module "readme" {
  source              = "terraform-aws-modules/cloudfront/aws"
  version             = "~> 3.0"
  aliases             = ["cdn.example.com"]
  default_root_object = "index.html"
  logging_config      = { bucket = "logs-my-cdn.s3.amazonaws.com" }
  origin = {
    something = {
      domain_name          = "something.example.com"
      custom_origin_config = { http_port = 80, https_port = 443, origin_protocol_policy = "match-viewer", origin_ssl_protocols = ["TLSv1"] }
      origin_shield        = { enabled = true, origin_shield_region = "us-east-1" }
    }
    s3_one = {
      domain_name      = "my-s3-bycket.s3.amazonaws.com"
      s3_origin_config = { origin_access_identity = "s3_bucket_one" }
    }
  }
  origin_group           = { both = { failover_status_codes = [500], primary_member_origin_id = "something", secondary_member_origin_id = "s3_one" } }
  default_cache_behavior = { target_origin_id = "something", viewer_protocol_policy = "allow-all", allowed_methods = ["GET", "HEAD"] }
  ordered_cache_behavior = [{ path_pattern = "/static/*", target_origin_id = "s3_one", viewer_protocol_policy = "redirect-to-https" }]
  viewer_certificate     = { acm_certificate_arn = "arn:aws:acm:us-east-1:135367859851:certificate/1032b155-22da-4ae0-9f69-e206f825458b", ssl_support_method = "sni-only" }
}

module "six" {
  source                 = "terraform-aws-modules/cloudfront/aws"
  origin                 = { s3 = { domain_name = "b.s3.amazonaws.com", origin_access_control_key = "s3" } }
  default_cache_behavior = { target_origin_id = "s3" }
  restrictions           = { geo_restriction = { restriction_type = "whitelist", locations = ["NO"] } }
}

module "not_known" {
  source                 = "terraform-aws-modules/cloudfront/aws"
  version                = "2.9.3"
  origin                 = var.origin
  default_cache_behavior = var.behavior
  viewer_certificate     = var.certificate
}

variable "behavior" {}
variable "certificate" {}
variable "origin" {}
