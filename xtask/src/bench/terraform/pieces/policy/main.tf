variable "bucket" { type = string }
variable "actions" { type = set(string) }
variable "public" {
  type    = bool
  default = false
}
data "aws_partition" "current" {}
data "aws_iam_policy_document" "base" {
  statement {
    sid     = "TlsOnly"
    effect  = "Deny"
    actions = ["s3:*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    resources = [for s in ["", "/*"] : "arn:aws:s3:::${var.bucket}${s}"]
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
data "aws_iam_policy_document" "this" {
  source_json = data.aws_iam_policy_document.base.json
  dynamic "statement" {
    for_each = var.public ? [var.actions] : []
    content {
      actions   = statement.value
      resources = ["arn:aws:s3:::${var.bucket}/*"]
      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:role/reader"]
      }
    }
  }
  statement {
    sid         = "Own"
    not_actions = ["s3:Delete*"]
    resources   = ["arn:aws:s3:::${var.bucket}"]
    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111122223333", "444455556666"]
    }
  }
}
output "json" { value = data.aws_iam_policy_document.this.json }
