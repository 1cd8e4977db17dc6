# A bucket with what belongs to it. Notifications are made by a part of the module that is called by itself.
#
# Never declares: aws_s3_bucket_notification
# Never writes aws_s3_bucket: acl, grant, lifecycle_rule, logging, object_lock_configuration, policy
# Never writes aws_s3_bucket: replication_configuration, server_side_encryption_configuration, versioning, website

variable "version" {}

locals {
  # 3.9 shut buckets and switched ACLs off where nothing is said.
  before = var.version < 30009
  exists = var.create_bucket && !var.is_directory_bucket
  grants = try(jsondecode(var.grant), var.grant)
  rules  = try(jsondecode(var.lifecycle_rule), var.lifecycle_rule)
}

variable "create_bucket" { default = true }
variable "is_directory_bucket" { default = false }
variable "bucket" { default = null }
variable "bucket_prefix" { default = null }
variable "force_destroy" { default = false }
variable "tags" { default = {} }
variable "acl" { default = null } # "private" before 3.9, which is what leaving it out means
variable "grant" { default = [] }
variable "versioning" { default = {} }
variable "logging" { default = {} }
variable "website" { default = {} }
variable "lifecycle_rule" { default = [] }
variable "server_side_encryption_configuration" { default = {} }
variable "replication_configuration" { default = {} }
variable "object_lock_enabled" { default = false }
variable "object_lock_configuration" { default = {} }
variable "control_object_ownership" { default = false }
variable "object_ownership" { default = null }
variable "attach_public_policy" { default = true }
variable "block_public_acls" { default = null }
variable "block_public_policy" { default = null }
variable "ignore_public_acls" { default = null }
variable "restrict_public_buckets" { default = null }
variable "attach_policy" { default = false }
variable "policy" { default = null }
variable "attach_deny_insecure_transport_policy" { default = false }
variable "attach_require_latest_tls_policy" { default = false }
variable "attach_elb_log_delivery_policy" { default = false }
variable "attach_lb_log_delivery_policy" { default = false }
variable "attach_access_log_delivery_policy" { default = false }
variable "attach_cloudtrail_log_delivery_policy" { default = false }
variable "attach_inventory_destination_policy" { default = false }
variable "attach_analytics_destination_policy" { default = false }
variable "attach_deny_incorrect_encryption_headers" { default = false }
variable "attach_deny_incorrect_kms_key_sse" { default = false }
variable "attach_deny_unencrypted_object_uploads" { default = false }
variable "attach_deny_ssec_encrypted_object_uploads" { default = false }
variable "attach_waf_log_delivery_policy" { default = false }

resource "aws_s3_bucket" "this" {
  count = local.exists ? 1 : 0

  bucket              = var.bucket
  bucket_prefix       = var.bucket_prefix
  force_destroy       = var.force_destroy
  object_lock_enabled = var.object_lock_enabled
  tags                = var.tags
}

resource "aws_s3_bucket_logging" "this" {
  count = local.exists && length(keys(coalesce(var.logging, {}))) > 0 ? 1 : 0

  bucket        = aws_s3_bucket.this[0].id
  target_bucket = var.logging["target_bucket"]
  target_prefix = try(var.logging["target_prefix"], null)
}

resource "aws_s3_bucket_acl" "this" {
  count = local.exists && ((var.acl != null && var.acl != "null") || length(local.grants) > 0) ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  acl    = var.acl == "null" ? null : var.acl

  dynamic "access_control_policy" {
    for_each = length(local.grants) > 0 ? [true] : []
    content {
      dynamic "grant" {
        for_each = local.grants
        content {
          permission = grant.value.permission
          grantee {
            type          = grant.value.type
            id            = try(grant.value.id, null)
            uri           = try(grant.value.uri, null)
            email_address = try(grant.value.email, null)
          }
        }
      }
    }
  }
}

resource "aws_s3_bucket_website_configuration" "this" {
  count = local.exists && length(keys(coalesce(var.website, {}))) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  dynamic "index_document" {
    for_each = try([var.website["index_document"]], [])
    content {
      suffix = index_document.value
    }
  }
  dynamic "redirect_all_requests_to" {
    for_each = try([var.website["redirect_all_requests_to"]], [])
    content {
      host_name = redirect_all_requests_to.value.host_name
      protocol  = try(redirect_all_requests_to.value.protocol, null)
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = local.exists && length(keys(coalesce(var.versioning, {}))) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  mfa    = try(var.versioning["mfa"], null)

  versioning_configuration {
    status = try(
      tobool(var.versioning["enabled"]) ? "Enabled" : "Suspended",
      tobool(var.versioning["status"]) ? "Enabled" : "Suspended",
      title(lower(var.versioning["status"])),
      "Enabled",
    )
    mfa_delete = try(
      tobool(var.versioning["mfa_delete"]) ? "Enabled" : "Disabled",
      title(lower(var.versioning["mfa_delete"])),
      null,
    )
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = local.exists && length(keys(coalesce(var.server_side_encryption_configuration, {}))) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  dynamic "rule" {
    for_each = try(flatten([var.server_side_encryption_configuration["rule"]]), [])
    content {
      bucket_key_enabled = try(rule.value.bucket_key_enabled, null)

      dynamic "apply_server_side_encryption_by_default" {
        for_each = try([rule.value.apply_server_side_encryption_by_default], [])
        content {
          sse_algorithm     = apply_server_side_encryption_by_default.value.sse_algorithm
          kms_master_key_id = try(apply_server_side_encryption_by_default.value.kms_master_key_id, null)
        }
      }
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = local.exists && length(local.rules) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  dynamic "rule" {
    for_each = local.rules
    content {
      id = try(rule.value.id, null)
      status = try(
        rule.value.enabled ? "Enabled" : "Disabled",
        tobool(rule.value.status) ? "Enabled" : "Disabled",
        title(lower(rule.value.status)),
      )

      dynamic "abort_incomplete_multipart_upload" {
        for_each = try([rule.value.abort_incomplete_multipart_upload_days], [])
        content {
          days_after_initiation = abort_incomplete_multipart_upload.value
        }
      }
      dynamic "expiration" {
        for_each = try(flatten([rule.value.expiration]), [])
        content {
          date                         = try(expiration.value.date, null)
          days                         = try(expiration.value.days, null)
          expired_object_delete_marker = try(expiration.value.expired_object_delete_marker, null)
        }
      }
      dynamic "transition" {
        for_each = try(flatten([rule.value.transition]), [])
        content {
          date          = try(transition.value.date, null)
          days          = try(transition.value.days, null)
          storage_class = transition.value.storage_class
        }
      }
      dynamic "noncurrent_version_expiration" {
        for_each = try(flatten([rule.value.noncurrent_version_expiration]), [])
        content {
          newer_noncurrent_versions = try(noncurrent_version_expiration.value.newer_noncurrent_versions, null)
          noncurrent_days = try(
            noncurrent_version_expiration.value.days,
            noncurrent_version_expiration.value.noncurrent_days,
            null,
          )
        }
      }
      dynamic "filter" {
        for_each = try(flatten([rule.value.filter]), [])
        content {
          prefix = try(filter.value.prefix, null)
        }
      }
    }
  }
}

resource "aws_s3_bucket_object_lock_configuration" "this" {
  count = local.exists && var.object_lock_enabled && try(var.object_lock_configuration["rule"]["default_retention"], null) != null ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    default_retention {
      mode  = var.object_lock_configuration["rule"]["default_retention"]["mode"]
      days  = try(var.object_lock_configuration["rule"]["default_retention"]["days"], null)
      years = try(var.object_lock_configuration["rule"]["default_retention"]["years"], null)
    }
  }
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = local.exists && length(keys(coalesce(var.replication_configuration, {}))) > 0 ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  role   = try(var.replication_configuration["role"], null)

  dynamic "rule" {
    for_each = try(flatten([var.replication_configuration["rules"]]), flatten([var.replication_configuration["rule"]]), [])
    content {
      id = try(rule.value.id, null)
      status = try(
        tobool(rule.value.status) ? "Enabled" : "Disabled",
        title(lower(rule.value.status)),
        "Enabled",
      )
      dynamic "destination" {
        for_each = try(flatten([rule.value.destination]), [])
        content {
          bucket  = destination.value.bucket
          account = try(destination.value.account_id, destination.value.account, null)
        }
      }
    }
  }
}

data "aws_iam_policy_document" "deny_insecure_transport" {
  statement {
    sid       = "denyInsecureTransport"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [try(aws_s3_bucket.this[0].arn, ""), "${try(aws_s3_bucket.this[0].arn, "")}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# What the other statements say in full; none of them lets the public in.
variable "statements_of_the_module" {}

locals {
  other_statements = anytrue([
    var.attach_require_latest_tls_policy, var.attach_elb_log_delivery_policy, var.attach_lb_log_delivery_policy,
    var.attach_access_log_delivery_policy, var.attach_cloudtrail_log_delivery_policy,
    var.attach_inventory_destination_policy, var.attach_analytics_destination_policy,
    var.attach_deny_incorrect_encryption_headers, var.attach_deny_incorrect_kms_key_sse,
    var.attach_deny_unencrypted_object_uploads, var.attach_deny_ssec_encrypted_object_uploads,
    var.attach_waf_log_delivery_policy,
  ])
  own_statements = var.attach_policy ? [var.policy] : []
}

data "aws_iam_policy_document" "combined" {
  source_policy_documents = concat(
    var.attach_deny_insecure_transport_policy ? [data.aws_iam_policy_document.deny_insecure_transport.json] : [],
    local.own_statements,
  )
}

resource "aws_s3_bucket_policy" "this" {
  count = local.exists && (local.other_statements || var.attach_deny_insecure_transport_policy || var.attach_policy) ? 1 : 0

  bucket = aws_s3_bucket.this[0].id
  policy = local.other_statements ? var.statements_of_the_module : data.aws_iam_policy_document.combined.json
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = local.exists && var.attach_public_policy ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = try(coalesce(var.block_public_acls, !local.before), !local.before)
  block_public_policy     = try(coalesce(var.block_public_policy, !local.before), !local.before)
  ignore_public_acls      = try(coalesce(var.ignore_public_acls, !local.before), !local.before)
  restrict_public_buckets = try(coalesce(var.restrict_public_buckets, !local.before), !local.before)
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = local.exists && var.control_object_ownership ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = coalesce(var.object_ownership, local.before ? "ObjectWriter" : "BucketOwnerEnforced")
  }
}

output "s3_bucket_id" { value = try(aws_s3_bucket.this[0].id, "") }
output "s3_bucket_arn" { value = try(aws_s3_bucket.this[0].arn, "") }
output "s3_bucket_bucket_domain_name" { value = try(aws_s3_bucket.this[0].bucket_domain_name, "") }
output "s3_bucket_bucket_regional_domain_name" { value = try(aws_s3_bucket.this[0].bucket_regional_domain_name, "") }
