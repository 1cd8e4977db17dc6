module "policy" {
  source = "terraform-aws-modules/iam/aws//modules/iam-policy"
  name   = "example"
  path   = "/"
  policy = <<EOF
{
  "Version": "2012-10-17",
  "Statement": [{ "Action": ["ec2:Describe*"], "Effect": "Allow", "Resource": "*" }]
}
EOF
}
