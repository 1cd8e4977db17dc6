# The classic load balancer itself.
#
# Never writes aws_elb: availability_zones, desync_mitigation_mode
# Never declares: anything else

variable "version" {}

variable "create_elb" { default = true }
variable "name" { default = null }
variable "name_prefix" { default = null }
variable "security_groups" { default = [] }
variable "subnets" { default = [] }
variable "internal" { default = false }
variable "cross_zone_load_balancing" { default = true }
variable "idle_timeout" { default = 60 }
variable "connection_draining" { default = false }
variable "listener" { default = [] }
variable "access_logs" { default = {} }
variable "health_check" { default = {} }
variable "tags" { default = {} }

resource "aws_elb" "this" {
  count = var.create_elb ? 1 : 0

  name                      = var.name
  name_prefix               = var.name_prefix
  subnets                   = var.subnets
  internal                  = var.internal
  security_groups           = var.security_groups
  cross_zone_load_balancing = var.cross_zone_load_balancing
  idle_timeout              = var.idle_timeout
  connection_draining       = var.connection_draining
  tags                      = merge(var.tags, { Name = var.name })

  dynamic "listener" {
    for_each = var.listener
    content {
      instance_port      = listener.value["instance_port"]
      instance_protocol  = listener.value["instance_protocol"]
      lb_port            = listener.value["lb_port"]
      lb_protocol        = listener.value["lb_protocol"]
      ssl_certificate_id = try(listener.value["ssl_certificate_id"], null)
    }
  }
  dynamic "access_logs" {
    for_each = try(length(keys(var.access_logs)) > 0 ? [var.access_logs] : [], var.access_logs)
    content {
      bucket        = access_logs.value["bucket"]
      bucket_prefix = try(access_logs.value["bucket_prefix"], null)
      interval      = try(access_logs.value["interval"], null)
      enabled       = try(access_logs.value["enabled"], true)
    }
  }
}

output "elb_id" { value = try(aws_elb.this[0].id, "") }
output "elb_arn" { value = try(aws_elb.this[0].arn, "") }
output "elb_name" { value = try(aws_elb.this[0].name, "") }
output "elb_dns_name" { value = try(aws_elb.this[0].dns_name, "") }
