module "group" {
  source                   = "terraform-aws-modules/iam/aws//modules/iam-group-with-policies"
  version                  = "~> 5.0"
  name                     = "superadmins"
  group_users              = ["user1", "user2"]
  custom_group_policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]
  custom_group_policies    = [{ name = "AllowS3Listing", policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }] }) }]
}
