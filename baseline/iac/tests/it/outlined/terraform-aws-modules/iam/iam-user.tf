module "user" {
  source                        = "terraform-aws-modules/iam/aws//modules/iam-user"
  version                       = "~> 5.0"
  name                          = "vasya.pupkin"
  force_destroy                 = true
  pgp_key                       = "keybase:test"
  password_reset_required       = false
  create_iam_user_login_profile = true
  policy_arns                   = ["arn:aws:iam::aws:policy/AdministratorAccess"]
}

module "plain" {
  source  = "terraform-aws-modules/iam/aws//modules/iam-user"
  version = "5.30.0"
  name    = "plain"
}

module "six" {
  source               = "terraform-aws-modules/iam/aws//modules/iam-user"
  version              = "~> 6.0"
  name                 = "six"
  create_login_profile = false
  policies             = { read = "arn:aws:iam::aws:policy/ReadOnlyAccess" }
}
