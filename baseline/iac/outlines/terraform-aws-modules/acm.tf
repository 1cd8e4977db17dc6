# A certificate; how it is validated is left out: no kind reads it.
#
# Never declares: anything else

variable "version" {}

variable "create_certificate" { default = true }
variable "domain_name" { default = "" }
variable "subject_alternative_names" { default = [] }
variable "validation_method" { default = null }
variable "certificate_transparency_logging_preference" { default = true }
variable "private_key" { default = null }
variable "tags" { default = {} }

resource "aws_acm_certificate" "this" {
  count = var.create_certificate ? 1 : 0

  domain_name               = var.domain_name
  subject_alternative_names = var.subject_alternative_names
  validation_method         = var.validation_method
  private_key               = var.private_key
  tags                      = var.tags

  options {
    certificate_transparency_logging_preference = var.certificate_transparency_logging_preference ? "ENABLED" : "DISABLED"
  }

  lifecycle {
    create_before_destroy = true
  }
}

output "acm_certificate_arn" { value = try(aws_acm_certificate.this[0].arn, "") }
output "this_acm_certificate_arn" { value = try(aws_acm_certificate.this[0].arn, "") }
