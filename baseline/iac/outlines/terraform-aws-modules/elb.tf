# A classic load balancer; what is attached to it is left out: no kind reads it.
#
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

module "elb" {
  source = "terraform-aws-modules/elb/aws//modules/elb"

  create_elb                = var.create_elb
  name                      = var.name
  name_prefix               = var.name_prefix
  security_groups           = var.security_groups
  subnets                   = var.subnets
  internal                  = var.internal
  cross_zone_load_balancing = var.cross_zone_load_balancing
  idle_timeout              = var.idle_timeout
  connection_draining       = var.connection_draining
  listener                  = var.listener
  access_logs               = var.access_logs
  health_check              = var.health_check
  tags                      = var.tags
}

output "elb_id" { value = module.elb.elb_id }
output "elb_arn" { value = module.elb.elb_arn }
output "elb_name" { value = module.elb.elb_name }
output "elb_dns_name" { value = module.elb.elb_dns_name }
output "this_elb_id" { value = module.elb.elb_id }
output "this_elb_dns_name" { value = module.elb.elb_dns_name }
