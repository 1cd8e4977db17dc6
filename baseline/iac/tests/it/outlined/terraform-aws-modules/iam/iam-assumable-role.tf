module "role" {
  source                  = "terraform-aws-modules/iam/aws//modules/iam-assumable-role"
  version                 = "~> 5.0"
  create_role             = true
  role_name               = "custom"
  role_requires_mfa       = true
  trusted_role_arns       = ["arn:aws:iam::307990089504:root"]
  trusted_role_services   = ["ec2.amazonaws.com"]
  role_sts_externalid     = "some-id-goes-here"
  custom_role_policy_arns = ["arn:aws:iam::aws:policy/AmazonCognitoReadOnly"]
  attach_admin_policy     = true
  attach_poweruser_policy = true
  attach_readonly_policy  = true
}

module "open" {
  source            = "terraform-aws-modules/iam/aws//modules/iam-assumable-role"
  version           = "~> 4.0"
  create_role       = true
  role_name         = "open"
  role_requires_mfa = false
  trusted_role_arns = ["*"]
}
