module "readme" {
  source          = "terraform-aws-modules/elb/aws"
  version         = "~> 4.0"
  name            = "elb-example"
  subnets         = ["subnet-12345678", "subnet-87654321"]
  security_groups = ["sg-12345678"]
  internal        = false
  listener        = [{ instance_port = 80, instance_protocol = "HTTP", lb_port = 80, lb_protocol = "HTTP" }]
  access_logs     = { bucket = "my-access-logs-bucket" }
}

module "part" {
  source   = "terraform-aws-modules/elb/aws//modules/elb"
  name     = "part"
  internal = true
  listener = [{ instance_port = 80, instance_protocol = "HTTP", lb_port = 443, lb_protocol = "HTTPS", ssl_certificate_id = "arn:aws:acm:eu-west-1:111122223333:certificate/c" }]
}

module "not_known" {
  source      = "terraform-aws-modules/elb/aws"
  name        = "not-known"
  listener    = var.listener
  access_logs = var.logs
}

variable "listener" {}
variable "logs" {}
