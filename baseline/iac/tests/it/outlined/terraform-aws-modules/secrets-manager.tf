module "secret" {
  source            = "terraform-aws-modules/secrets-manager/aws"
  name_prefix       = "example"
  create_policy     = true
  policy_statements = { read = { sid = "AllowAccountRead", principals = [{ type = "AWS", identifiers = ["*"] }], actions = ["secretsmanager:GetSecretValue"], resources = ["*"] } }
  enable_rotation   = true
  rotation_rules    = { automatically_after_days = 30 }
}

module "plain" {
  source = "terraform-aws-modules/secrets-manager/aws"
  name   = "plain"
}
