locals {
  origins = {
    api  = { domain = "api.example.com", ports = { http = 80 }, headers = { x-a = "1", x-b = "2" } }
    site = { domain = "site.example.com", ports = { http = 8080, https = 8443 }, headers = {} }
  }
  behaviors = [
    { path = "/api/*", origin = "api", methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE"], cookies = ["session"] },
    { path = "/old/*", origin = "site", methods = ["GET", "HEAD"], cookies = null },
  ]
}
resource "aws_cloudfront_distribution" "d" {
  count   = 2
  enabled = count.index == 0
  aliases = [for i in range(count.index + 1) : "a${i}.example.com"]
  comment = "number ${count.index + 1}"
  dynamic "origin" {
    for_each = local.origins
    iterator = o
    content {
      domain_name = o.value.domain
      origin_id   = o.key
      custom_origin_config {
        http_port              = o.value.ports.http
        https_port             = try(o.value.ports.https, 443)
        origin_protocol_policy = can(o.value.ports.https) ? "https-only" : "match-viewer"
        origin_ssl_protocols   = ["TLSv1.2"]
      }
      dynamic "custom_header" {
        for_each = o.value.headers
        content {
          name  = upper(custom_header.key)
          value = "${o.key}-${custom_header.value}"
        }
      }
    }
  }
  default_cache_behavior {
    target_origin_id       = keys(local.origins)[0]
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    viewer_protocol_policy = "redirect-to-https"
    forwarded_values {
      query_string = false
      cookies {
        forward = "none"
      }
    }
  }
  dynamic "ordered_cache_behavior" {
    for_each = local.behaviors
    content {
      path_pattern           = ordered_cache_behavior.value.path
      target_origin_id       = ordered_cache_behavior.value.origin
      allowed_methods        = ordered_cache_behavior.value.methods
      cached_methods         = slice(ordered_cache_behavior.value.methods, 0, 2)
      viewer_protocol_policy = ordered_cache_behavior.key == 0 ? "https-only" : "allow-all"
      forwarded_values {
        query_string = true
        headers      = ordered_cache_behavior.value.cookies == null ? null : ["Origin"]
        cookies {
          forward           = ordered_cache_behavior.value.cookies == null ? "all" : "whitelist"
          whitelisted_names = ordered_cache_behavior.value.cookies
        }
      }
    }
  }
  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
resource "aws_wafv2_web_acl" "w" {
  name  = "w"
  scope = "REGIONAL"
  default_action {
    allow {}
  }
  dynamic "rule" {
    for_each = { for i, n in ["Common", "KnownBadInputs"] : n => i + 1 }
    content {
      name     = rule.key
      priority = rule.value
      override_action {
        dynamic "none" {
          for_each = rule.value == 1 ? [1] : []
          content {}
        }
        dynamic "count" {
          for_each = rule.value == 1 ? [] : [1]
          content {}
        }
      }
      statement {
        managed_rule_group_statement {
          name        = "AWSManagedRules${rule.key}RuleSet"
          vendor_name = "AWS"
        }
      }
      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = lower(rule.key)
        sampled_requests_enabled   = false
      }
    }
  }
  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "w"
    sampled_requests_enabled   = true
  }
}
resource "aws_security_group" "attributes" {
  name = "attributes"
  ingress = [for p in [22, 80] : {
    from_port        = p
    to_port          = p
    protocol         = "tcp"
    cidr_blocks      = p == 22 ? [] : ["0.0.0.0/0"]
    description      = null
    ipv6_cidr_blocks = null
    prefix_list_ids  = null
    security_groups  = null
    self             = p == 22
  }]
  egress = []
}
