variable "name" {}
variable "tags" {}
variable "index" {}
variable "wide" { default = null }
variable "rules" { default = {} }
locals {
  names = toset(["logs", "data", var.index > 1 ? "extra" : "logs"])
  days  = { logs = 30, data = 365 }
}
resource "aws_s3_bucket" "this" {
  for_each = local.names
  bucket   = lower("${var.name}-${each.key}")
  acl      = each.key == "logs" ? "log-delivery-write" : "private"
  versioning {
    enabled    = coalesce(var.wide, true)
    mfa_delete = false
  }
  dynamic "lifecycle_rule" {
    for_each = [for d in [lookup(local.days, each.key, 7)] : d if d < 400]
    content {
      id      = "expire-${lifecycle_rule.value}"
      enabled = true
      prefix  = try(var.rules.prefix, "tmp/")
      dynamic "transition" {
        for_each = lifecycle_rule.value > 30 ? { 30 = "STANDARD_IA", 90 = "GLACIER" } : {}
        content {
          days          = transition.key
          storage_class = transition.value
        }
      }
      expiration {
        days = lifecycle_rule.value
      }
    }
  }
  dynamic "server_side_encryption_configuration" {
    for_each = var.wide == false ? [] : [1]
    content {
      rule {
        apply_server_side_encryption_by_default {
          sse_algorithm = "aws:kms"
        }
      }
    }
  }
  tags = merge(var.tags, { days = lookup(local.days, each.key, "none") })
}
resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = aws_s3_bucket.this
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = each.key != "data"
  ignore_public_acls      = !(each.key == "data")
  restrict_public_buckets = alltrue([for k in local.names : length(k) > 3])
}
module "policy" {
  source  = "../policy"
  for_each = { for k in local.names : k => { public = k == "data", actions = k == "logs" ? ["s3:PutObject"] : ["s3:GetObject", "s3:ListBucket"] } }
  bucket  = lower("${var.name}-${each.key}")
  actions = each.value.actions
  public  = each.value.public
}
resource "aws_s3_bucket_policy" "this" {
  for_each = module.policy
  bucket   = aws_s3_bucket.this[each.key].id
  policy   = each.value.json
}
resource "aws_ssm_parameter" "config" {
  name  = "/${replace(var.name, "-", "/")}/config"
  type  = "String"
  value = jsonencode({ buckets = sort(local.names), wide = var.wide, days = local.days, note = "<a> & \"b\"" })
}
output "policies" { value = values(module.policy)[*].json }
