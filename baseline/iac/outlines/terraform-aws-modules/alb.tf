# An application or network load balancer with listeners and target groups. Since 9.0 those are maps; before, lists that name each other by their
# places. What the rules of listeners do and for whom is not said.
#
# Never writes aws_security_group: egress, ingress
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_lb" { default = true }
variable "name" { default = null }
variable "name_prefix" { default = null }
variable "load_balancer_type" { default = "application" }
variable "internal" { default = null }
variable "security_groups" { default = [] }
variable "subnets" { default = null }
variable "subnet_mapping" { default = [] }
variable "enable_cross_zone_load_balancing" { default = null }
variable "enable_deletion_protection" { default = null }
variable "drop_invalid_header_fields" { default = null }
variable "desync_mitigation_mode" { default = null }
variable "access_logs" { default = null }
variable "tags" { default = {} }
variable "vpc_id" { default = null }
variable "listeners" { default = {} }
variable "target_groups" { default = {} }
variable "default_port" { default = 80 }
variable "default_protocol" { default = "HTTP" }
variable "http_tcp_listeners" { default = [] }
variable "https_listeners" { default = [] }
variable "http_tcp_listener_rules" { default = [] }
variable "https_listener_rules" { default = [] }
variable "listener_ssl_policy_default" { default = "ELBSecurityPolicy-2016-08" }
variable "create_security_group" { default = true }
variable "security_group_name" { default = null }
variable "security_group_use_name_prefix" { default = true }
variable "security_group_description" { default = null }
variable "security_group_ingress_rules" { default = {} }
variable "security_group_egress_rules" { default = {} }
variable "security_group_rules" { default = {} }
variable "associate_web_acl" { default = false }
variable "web_acl_arn" { default = null }
variable "additional_target_group_attachments" { default = {} }

# What a rule of a listener does.
variable "actions_of_the_rule" {}

locals {
  # Calls that say nothing of the version and give these were written for 8 and older.
  eight     = var.version < 90000 || length(flatten([var.http_tcp_listeners, var.https_listeners, var.http_tcp_listener_rules, var.https_listener_rules])) > 0
  create    = var.create && var.create_lb
  logs      = coalesce(var.access_logs, {})
  own_group = local.create && var.create_security_group && (!local.eight || var.version >= 80003 && var.load_balancer_type == "application")
  group     = try(coalesce(var.security_group_name, var.name), "")
  rules     = { for rule in flatten([for name, listener in var.listeners : [for key, one in try(coalesce(listener.rules, {}), {}) : { key = "${name}/${key}", listener = name, rule = one }]]) : rule.key => rule }
}

resource "aws_lb" "this" {
  count = local.create ? 1 : 0

  name                             = var.name
  name_prefix                      = var.name_prefix
  load_balancer_type               = var.load_balancer_type
  internal                         = var.internal
  security_groups                  = local.own_group ? concat([aws_security_group.this[0].id], coalesce(var.security_groups, [])) : var.security_groups
  subnets                          = var.subnets
  enable_cross_zone_load_balancing = try(coalesce(var.enable_cross_zone_load_balancing, !local.eight), !local.eight)
  enable_deletion_protection       = try(coalesce(var.enable_deletion_protection, !local.eight), !local.eight)
  drop_invalid_header_fields       = try(coalesce(var.drop_invalid_header_fields, !local.eight), !local.eight)
  desync_mitigation_mode           = var.desync_mitigation_mode
  tags                             = var.tags

  dynamic "access_logs" {
    for_each = length(local.logs) > 0 ? [local.logs] : []
    content {
      bucket  = try(access_logs.value["bucket"], null)
      enabled = try(access_logs.value["enabled"], local.eight ? try(access_logs.value["bucket"], null) != null : true)
      prefix  = try(access_logs.value["prefix"], null)
    }
  }
  dynamic "subnet_mapping" {
    for_each = coalesce(var.subnet_mapping, [])
    content {
      subnet_id     = subnet_mapping.value.subnet_id
      allocation_id = try(subnet_mapping.value.allocation_id, null)
    }
  }
}

resource "aws_lb_listener" "this" {
  for_each = { for k, v in var.listeners : k => v if local.create && !local.eight }

  load_balancer_arn = aws_lb.this[0].arn
  port              = try(each.value.port, var.default_port)
  protocol          = try(each.value.protocol, var.default_protocol)
  certificate_arn   = try(each.value.certificate_arn, null)
  ssl_policy        = contains(["HTTPS", "TLS"], try(each.value.protocol, var.default_protocol)) ? try(each.value.ssl_policy, "ELBSecurityPolicy-TLS13-1-2-Res-2021-06") : try(each.value.ssl_policy, null)
  tags              = var.tags

  dynamic "default_action" {
    for_each = try([each.value.authenticate_cognito], [])
    content {
      type = "authenticate-cognito"
      authenticate_cognito {
        on_unauthenticated_request = try(default_action.value.on_unauthenticated_request, null)
        user_pool_arn              = default_action.value.user_pool_arn
        user_pool_client_id        = default_action.value.user_pool_client_id
        user_pool_domain           = default_action.value.user_pool_domain
      }
    }
  }
  dynamic "default_action" {
    for_each = try([each.value.authenticate_oidc], [])
    content {
      type = "authenticate-oidc"
      authenticate_oidc {
        on_unauthenticated_request = try(default_action.value.on_unauthenticated_request, null)
        authorization_endpoint     = default_action.value.authorization_endpoint
        client_id                  = default_action.value.client_id
        client_secret              = default_action.value.client_secret
        issuer                     = default_action.value.issuer
        token_endpoint             = default_action.value.token_endpoint
        user_info_endpoint         = default_action.value.user_info_endpoint
      }
    }
  }
  dynamic "default_action" {
    for_each = try([each.value.redirect], [])
    content {
      type = "redirect"
      redirect {
        host        = try(default_action.value.host, null)
        path        = try(default_action.value.path, null)
        port        = try(default_action.value.port, null)
        protocol    = try(default_action.value.protocol, null)
        query       = try(default_action.value.query, null)
        status_code = default_action.value.status_code
      }
    }
  }
  dynamic "default_action" {
    for_each = try([each.value.fixed_response], [])
    content {
      type = "fixed-response"
      fixed_response {
        content_type = default_action.value.content_type
        message_body = try(default_action.value.message_body, null)
        status_code  = try(default_action.value.status_code, null)
      }
    }
  }
  dynamic "default_action" {
    for_each = try([each.value.forward], [])
    content {
      type             = "forward"
      target_group_arn = try(default_action.value.arn, default_action.value.target_group_arn, aws_lb_target_group.this[default_action.value.target_group_key].arn, null)
    }
  }
  dynamic "default_action" {
    for_each = try([each.value.weighted_forward], [])
    content {
      type = "forward"
      forward {
        dynamic "target_group" {
          for_each = try(default_action.value.target_groups, [])
          content {
            arn    = try(target_group.value.arn, target_group.value.target_group_arn, aws_lb_target_group.this[target_group.value.target_group_key].arn, null)
            weight = try(target_group.value.weight, null)
          }
        }
      }
    }
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = { for k, v in local.rules : k => v if local.create && !local.eight }

  listener_arn = aws_lb_listener.this[each.value.listener].arn
  priority     = try(each.value.rule.priority, null)
  tags         = var.tags

  dynamic "action" {
    for_each = var.actions_of_the_rule
    content {
      type = action.value
    }
  }
}

resource "aws_lb_target_group" "this" {
  for_each = { for k, v in try(tomap(var.target_groups), {}) : k => v if local.create && !local.eight }

  name        = try(each.value.name, null)
  name_prefix = try(each.value.name_prefix, null)
  vpc_id      = try(each.value.vpc_id, var.vpc_id)
  port        = try(each.value.target_type, null) == "lambda" ? null : try(each.value.port, var.default_port)
  protocol    = try(each.value.target_type, null) == "lambda" ? null : try(each.value.protocol, var.default_protocol)
  target_type = try(each.value.target_type, null)
  tags        = var.tags

  dynamic "health_check" {
    for_each = try([each.value.health_check], [])
    content {
      enabled  = try(health_check.value.enabled, null)
      path     = try(health_check.value.path, null)
      port     = try(health_check.value.port, null)
      protocol = try(health_check.value.protocol, null)
    }
  }
}

resource "aws_lb_target_group_attachment" "this" {
  for_each = { for k, v in try(tomap(var.target_groups), {}) : k => v if local.create && !local.eight && try(v.create_attachment, true) }

  target_group_arn = aws_lb_target_group.this[each.key].arn
  target_id        = try(each.value.target_id, null)
  port             = try(each.value.target_type, null) == "lambda" ? null : try(each.value.port, var.default_port)
}

resource "aws_lb_target_group" "main" {
  count = local.eight && local.create ? length(var.target_groups) : 0

  name        = try(var.target_groups[count.index].name, null)
  name_prefix = try(var.target_groups[count.index].name_prefix, null)
  vpc_id      = var.vpc_id
  port        = try(var.target_groups[count.index].backend_port, null)
  protocol    = try(upper(var.target_groups[count.index].backend_protocol), null)
  target_type = try(var.target_groups[count.index].target_type, null)
  tags        = var.tags

  dynamic "health_check" {
    for_each = try([var.target_groups[count.index].health_check], [])
    content {
      enabled  = try(health_check.value.enabled, null)
      path     = try(health_check.value.path, null)
      port     = try(health_check.value.port, null)
      protocol = try(health_check.value.protocol, null)
    }
  }
}

resource "aws_lb_listener" "frontend_http_tcp" {
  count = local.eight && local.create ? length(var.http_tcp_listeners) : 0

  load_balancer_arn = aws_lb.this[0].arn
  port              = var.http_tcp_listeners[count.index]["port"]
  protocol          = try(var.http_tcp_listeners[count.index]["protocol"], "HTTP")
  certificate_arn   = null
  ssl_policy        = null
  tags              = var.tags

  default_action {
    type             = try(var.http_tcp_listeners[count.index]["action_type"], "forward")
    target_group_arn = contains(["", "redirect", "fixed-response"], try(var.http_tcp_listeners[count.index]["action_type"], "forward")) ? null : try(aws_lb_target_group.main[try(var.http_tcp_listeners[count.index]["target_group_index"], count.index)].arn, null)

    dynamic "redirect" {
      for_each = try([var.http_tcp_listeners[count.index]["redirect"]], [])
      content {
        host        = try(redirect.value["host"], null)
        path        = try(redirect.value["path"], null)
        port        = try(redirect.value["port"], null)
        protocol    = try(redirect.value["protocol"], null)
        query       = try(redirect.value["query"], null)
        status_code = redirect.value["status_code"]
      }
    }
    dynamic "fixed_response" {
      for_each = try([var.http_tcp_listeners[count.index]["fixed_response"]], [])
      content {
        content_type = fixed_response.value["content_type"]
        message_body = try(fixed_response.value["message_body"], null)
        status_code  = try(fixed_response.value["status_code"], null)
      }
    }
    dynamic "authenticate_cognito" {
      for_each = try([var.http_tcp_listeners[count.index]["authenticate_cognito"]], [])
      content {
        on_unauthenticated_request = try(authenticate_cognito.value["on_unauthenticated_request"], null)
        user_pool_arn              = authenticate_cognito.value["user_pool_arn"]
        user_pool_client_id        = authenticate_cognito.value["user_pool_client_id"]
        user_pool_domain           = authenticate_cognito.value["user_pool_domain"]
      }
    }
    dynamic "authenticate_oidc" {
      for_each = try([var.http_tcp_listeners[count.index]["authenticate_oidc"]], [])
      content {
        on_unauthenticated_request = try(authenticate_oidc.value["on_unauthenticated_request"], null)
        authorization_endpoint     = authenticate_oidc.value["authorization_endpoint"]
        client_id                  = authenticate_oidc.value["client_id"]
        client_secret              = authenticate_oidc.value["client_secret"]
        issuer                     = authenticate_oidc.value["issuer"]
        token_endpoint             = authenticate_oidc.value["token_endpoint"]
        user_info_endpoint         = authenticate_oidc.value["user_info_endpoint"]
      }
    }
  }
}

resource "aws_lb_listener" "frontend_https" {
  count = local.eight && local.create ? length(var.https_listeners) : 0

  load_balancer_arn = aws_lb.this[0].arn
  port              = var.https_listeners[count.index]["port"]
  protocol          = try(var.https_listeners[count.index]["protocol"], "HTTPS")
  certificate_arn   = try(var.https_listeners[count.index]["certificate_arn"], null)
  ssl_policy        = try(var.https_listeners[count.index]["ssl_policy"], var.listener_ssl_policy_default)
  tags              = var.tags

  default_action {
    type             = try(var.https_listeners[count.index]["action_type"], "forward")
    target_group_arn = contains(["", "redirect", "fixed-response"], try(var.https_listeners[count.index]["action_type"], "forward")) ? null : try(aws_lb_target_group.main[try(var.https_listeners[count.index]["target_group_index"], count.index)].arn, null)

    dynamic "redirect" {
      for_each = try([var.https_listeners[count.index]["redirect"]], [])
      content {
        host        = try(redirect.value["host"], null)
        path        = try(redirect.value["path"], null)
        port        = try(redirect.value["port"], null)
        protocol    = try(redirect.value["protocol"], null)
        query       = try(redirect.value["query"], null)
        status_code = redirect.value["status_code"]
      }
    }
    dynamic "fixed_response" {
      for_each = try([var.https_listeners[count.index]["fixed_response"]], [])
      content {
        content_type = fixed_response.value["content_type"]
        message_body = try(fixed_response.value["message_body"], null)
        status_code  = try(fixed_response.value["status_code"], null)
      }
    }
    dynamic "authenticate_cognito" {
      for_each = try([var.https_listeners[count.index]["authenticate_cognito"]], [])
      content {
        on_unauthenticated_request = try(authenticate_cognito.value["on_unauthenticated_request"], null)
        user_pool_arn              = authenticate_cognito.value["user_pool_arn"]
        user_pool_client_id        = authenticate_cognito.value["user_pool_client_id"]
        user_pool_domain           = authenticate_cognito.value["user_pool_domain"]
      }
    }
    dynamic "authenticate_oidc" {
      for_each = try([var.https_listeners[count.index]["authenticate_oidc"]], [])
      content {
        on_unauthenticated_request = try(authenticate_oidc.value["on_unauthenticated_request"], null)
        authorization_endpoint     = authenticate_oidc.value["authorization_endpoint"]
        client_id                  = authenticate_oidc.value["client_id"]
        client_secret              = authenticate_oidc.value["client_secret"]
        issuer                     = authenticate_oidc.value["issuer"]
        token_endpoint             = authenticate_oidc.value["token_endpoint"]
        user_info_endpoint         = authenticate_oidc.value["user_info_endpoint"]
      }
    }
  }
}

resource "aws_lb_listener_rule" "http_tcp_listener_rule" {
  count = local.eight && local.create ? length(var.http_tcp_listener_rules) : 0

  listener_arn = aws_lb_listener.frontend_http_tcp[try(var.http_tcp_listener_rules[count.index]["http_tcp_listener_index"], count.index)].arn
  priority     = try(var.http_tcp_listener_rules[count.index]["priority"], null)
  tags         = var.tags

  dynamic "action" {
    for_each = var.actions_of_the_rule
    content {
      type = action.value
    }
  }
}

resource "aws_lb_listener_rule" "https_listener_rule" {
  count = local.eight && local.create ? length(var.https_listener_rules) : 0

  listener_arn = aws_lb_listener.frontend_https[try(var.https_listener_rules[count.index]["https_listener_index"], count.index)].arn
  priority     = try(var.https_listener_rules[count.index]["priority"], null)
  tags         = var.tags

  dynamic "action" {
    for_each = var.actions_of_the_rule
    content {
      type = action.value
    }
  }
}

resource "aws_security_group" "this" {
  count = local.own_group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : local.group
  name_prefix = var.security_group_use_name_prefix ? "${local.group}-" : null
  description = try(coalesce(var.security_group_description, "Security group for ${local.group} ${var.load_balancer_type} load balancer"), null)
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in coalesce(var.security_group_ingress_rules, {}) : k => v if local.own_group && !local.eight }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, null)
  to_port                      = try(each.value.to_port, null)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { for k, v in coalesce(var.security_group_egress_rules, {}) : k => v if local.own_group && !local.eight }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, null)
  to_port                      = try(each.value.to_port, null)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_security_group_rule" "this" {
  for_each = { for k, v in var.security_group_rules : k => v if local.own_group && local.eight }

  security_group_id        = aws_security_group.this[0].id
  type                     = each.value.type
  protocol                 = each.value.protocol
  from_port                = each.value.from_port
  to_port                  = each.value.to_port
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  self                     = try(each.value.self, null)
  source_security_group_id = try(each.value.source_security_group_id, null)
}

resource "aws_wafv2_web_acl_association" "this" {
  count = local.create && (local.eight ? var.web_acl_arn != null : var.associate_web_acl) ? 1 : 0

  resource_arn = aws_lb.this[0].arn
  web_acl_arn  = var.web_acl_arn
}

output "arn" { value = try(aws_lb.this[0].arn, null) }
output "id" { value = try(aws_lb.this[0].id, null) }
output "dns_name" { value = try(aws_lb.this[0].dns_name, null) }
output "lb_arn" { value = try(aws_lb.this[0].arn, null) }
output "lb_id" { value = try(aws_lb.this[0].id, null) }
output "lb_dns_name" { value = try(aws_lb.this[0].dns_name, null) }
output "target_group_arns" { value = aws_lb_target_group.main[*].arn }
output "target_groups" { value = aws_lb_target_group.this }
output "listeners" { value = aws_lb_listener.this }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
