module "acm" {
  source                    = "terraform-aws-modules/acm/aws"
  version                   = "~> 4.0"
  domain_name               = "my-domain.com"
  zone_id                   = "Z2ES7B9AZ6SHAE"
  subject_alternative_names = ["*.my-domain.com"]
  wait_for_validation       = true

  certificate_transparency_logging_preference = false
}
