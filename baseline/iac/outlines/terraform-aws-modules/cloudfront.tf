# A distribution; since 6.0 with other defaults. Who may read its origins is left out: no kind reads it. Logs of the newer kind are not said.
#
# Never declares: anything else

variable "version" {}

variable "create_distribution" { default = true }
variable "create" { default = true }
variable "aliases" { default = null }
variable "comment" { default = null }
variable "default_root_object" { default = null }
variable "enabled" { default = true }
variable "web_acl_id" { default = null }
variable "tags" { default = {} }
variable "logging_config" { default = {} }
variable "origin" { default = {} }
variable "origin_group" { default = {} }
variable "default_cache_behavior" { default = {} }
variable "ordered_cache_behavior" { default = [] }
variable "viewer_certificate" { default = {} }
variable "geo_restriction" { default = {} }
variable "restrictions" { default = null }

locals {
  six         = var.version >= 60000
  geo         = try(var.restrictions.geo_restriction, var.geo_restriction)
  certificate = length(coalesce(var.viewer_certificate, {})) > 0 ? var.viewer_certificate : local.six ? {} : { cloudfront_default_certificate = true, minimum_protocol_version = "TLSv1" }
}

resource "aws_cloudfront_distribution" "this" {
  count = var.create && var.create_distribution ? 1 : 0

  aliases             = var.aliases
  comment             = var.comment
  default_root_object = var.default_root_object
  enabled             = var.enabled
  web_acl_id          = var.web_acl_id
  tags                = var.tags

  dynamic "logging_config" {
    for_each = length(keys(coalesce(var.logging_config, {}))) == 0 ? [] : [var.logging_config]
    content {
      bucket          = try(logging_config.value["bucket"], null)
      prefix          = try(logging_config.value["prefix"], null)
      include_cookies = try(logging_config.value["include_cookies"], null)
    }
  }
  dynamic "origin" {
    for_each = coalesce(var.origin, {})
    content {
      domain_name = origin.value.domain_name
      origin_id   = try(origin.value.origin_id, origin.key)
      origin_path = try(origin.value.origin_path, "")
      # The module makes what is named by a key.
      origin_access_control_id = try(origin.value.origin_access_control_id, origin.value.origin_access_control, origin.value.origin_access_control_key, null)

      dynamic "s3_origin_config" {
        for_each = length(keys(try(origin.value.s3_origin_config, {}))) == 0 ? [] : [origin.value.s3_origin_config]
        content {
          origin_access_identity = try(s3_origin_config.value.cloudfront_access_identity_path, s3_origin_config.value.origin_access_identity, null)
        }
      }
      dynamic "custom_origin_config" {
        for_each = length(keys(try(origin.value.custom_origin_config, {}))) == 0 ? [] : [origin.value.custom_origin_config]
        content {
          http_port              = try(custom_origin_config.value.http_port, null)
          https_port             = try(custom_origin_config.value.https_port, null)
          origin_protocol_policy = try(custom_origin_config.value.origin_protocol_policy, null)
          origin_ssl_protocols   = try(custom_origin_config.value.origin_ssl_protocols, local.six ? ["TLSv1.2"] : null)
        }
      }
      dynamic "origin_shield" {
        for_each = length(keys(try(origin.value.origin_shield, {}))) == 0 ? [] : [origin.value.origin_shield]
        content {
          enabled              = try(origin_shield.value.enabled, null)
          origin_shield_region = try(origin_shield.value.origin_shield_region, null)
        }
      }
    }
  }
  dynamic "origin_group" {
    for_each = coalesce(var.origin_group, {})
    content {
      origin_id = try(origin_group.value.origin_id, origin_group.key)

      failover_criteria {
        status_codes = try(origin_group.value.failover_criteria.status_codes, origin_group.value["failover_status_codes"])
      }
      dynamic "member" {
        for_each = try(origin_group.value.member, [{ origin_id = origin_group.value["primary_member_origin_id"] }, { origin_id = origin_group.value["secondary_member_origin_id"] }])
        content {
          origin_id = member.value.origin_id
        }
      }
    }
  }
  dynamic "default_cache_behavior" {
    for_each = [var.default_cache_behavior]
    content {
      target_origin_id           = try(default_cache_behavior.value["target_origin_id"], null)
      viewer_protocol_policy     = try(default_cache_behavior.value["viewer_protocol_policy"], local.six ? "https-only" : null)
      allowed_methods            = try(default_cache_behavior.value["allowed_methods"], ["GET", "HEAD", "OPTIONS"])
      cached_methods             = try(default_cache_behavior.value["cached_methods"], ["GET", "HEAD"])
      compress                   = try(default_cache_behavior.value["compress"], local.six ? true : null)
      field_level_encryption_id  = try(default_cache_behavior.value["field_level_encryption_id"], null)
      response_headers_policy_id = try(default_cache_behavior.value["response_headers_policy_id"], null)
      cache_policy_id            = try(default_cache_behavior.value["cache_policy_id"], null)
      realtime_log_config_arn    = try(default_cache_behavior.value["realtime_log_config_arn"], null)
      trusted_signers            = try(default_cache_behavior.value["trusted_signers"], null)
      trusted_key_groups         = try(default_cache_behavior.value["trusted_key_groups"], null)
    }
  }
  dynamic "ordered_cache_behavior" {
    for_each = coalesce(var.ordered_cache_behavior, [])
    content {
      path_pattern               = ordered_cache_behavior.value["path_pattern"]
      target_origin_id           = try(ordered_cache_behavior.value["target_origin_id"], null)
      viewer_protocol_policy     = try(ordered_cache_behavior.value["viewer_protocol_policy"], local.six ? "https-only" : null)
      allowed_methods            = try(ordered_cache_behavior.value["allowed_methods"], ["GET", "HEAD", "OPTIONS"])
      cached_methods             = try(ordered_cache_behavior.value["cached_methods"], ["GET", "HEAD"])
      compress                   = try(ordered_cache_behavior.value["compress"], local.six ? true : null)
      field_level_encryption_id  = try(ordered_cache_behavior.value["field_level_encryption_id"], null)
      response_headers_policy_id = try(ordered_cache_behavior.value["response_headers_policy_id"], null)
      cache_policy_id            = try(ordered_cache_behavior.value["cache_policy_id"], null)
      realtime_log_config_arn    = try(ordered_cache_behavior.value["realtime_log_config_arn"], null)
      trusted_signers            = try(ordered_cache_behavior.value["trusted_signers"], null)
      trusted_key_groups         = try(ordered_cache_behavior.value["trusted_key_groups"], null)
    }
  }
  viewer_certificate {
    acm_certificate_arn            = try(local.certificate["acm_certificate_arn"], null)
    cloudfront_default_certificate = try(local.certificate["cloudfront_default_certificate"], null)
    iam_certificate_id             = try(local.certificate["iam_certificate_id"], null)
    minimum_protocol_version       = try(local.certificate["minimum_protocol_version"], local.six ? "TLSv1.2_2025" : "TLSv1")
    ssl_support_method             = try(local.certificate["ssl_support_method"], null)
  }
  restrictions {
    geo_restriction {
      restriction_type = try(local.geo["restriction_type"], "none")
      locations        = try(local.geo["locations"], [])
    }
  }
}

output "cloudfront_distribution_id" { value = try(aws_cloudfront_distribution.this[0].id, "") }
output "cloudfront_distribution_arn" { value = try(aws_cloudfront_distribution.this[0].arn, "") }
output "cloudfront_distribution_domain_name" { value = try(aws_cloudfront_distribution.this[0].domain_name, "") }
