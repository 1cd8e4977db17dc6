locals {
  accounts = ["111122223333", "444455556666"]
  grants   = { read = ["s3:GetObject"], write = ["s3:PutObject", "s3:DeleteObject"], none = [] }
}
data "aws_iam_policy_document" "part" {
  for_each  = { for k, v in local.grants : k => v if length(v) > 0 }
  policy_id = "part-${each.key}"
  version   = "2012-10-17"
  statement {
    sid       = title(each.key)
    actions   = each.value
    resources = ["arn:aws:s3:::bucket/$${aws:username}/&{aws:userid}/*"]
    dynamic "condition" {
      for_each = each.key == "write" ? { "aws:PrincipalOrgID" = ["o-1"], "aws:SourceIp" = ["10.0.0.0/8", "192.0.2.0/24"] } : {}
      content {
        test     = condition.key == "aws:SourceIp" ? "IpAddress" : "StringEquals"
        variable = condition.key
        values   = condition.value
      }
    }
  }
}
data "aws_iam_policy_document" "merged" {
  source_policy_documents   = [for k, d in data.aws_iam_policy_document.part : d.json]
  override_policy_documents = [data.aws_iam_policy_document.override.json]
  statement {
    effect        = "Deny"
    not_actions   = ["iam:*"]
    not_resources = ["arn:aws:s3:::public/*"]
    not_principals {
      type        = "AWS"
      identifiers = formatlist("arn:aws:iam::%s:root", local.accounts)
    }
  }
}
data "aws_iam_policy_document" "override" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com", "lambda.amazonaws.com"]
    }
    principals {
      type        = "AWS"
      identifiers = local.accounts
    }
  }
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = ["cognito-identity.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "cognito-identity.amazonaws.com:aud"
      values   = ["pool"]
    }
    condition {
      test     = "StringEquals"
      variable = "cognito-identity.amazonaws.com:sub"
      values   = ["a", "b"]
    }
  }
}
resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
resource "aws_iam_policy" "p" {
  for_each = data.aws_iam_policy_document.part
  name     = each.key
  policy   = each.value.json
}
resource "aws_sqs_queue" "q" {
  name   = "q"
  policy = data.aws_iam_policy_document.merged.json
}
resource "aws_kms_key" "k" {
  description = "k"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for a in local.accounts : { Sid = "Root${a}", Effect = "Allow", Principal = { AWS = "arn:aws:iam::${a}:root" }, Action = "kms:*", Resource = "*" }],
      [{ Effect = "Allow", Principal = { Service = "logs.eu-west-1.amazonaws.com" }, Action = ["kms:Encrypt*", "kms:Decrypt*"], Resource = "*" }]
    )
  })
}
