# The alias of an account and its password policy.
#
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "account_alias" { default = null }
variable "create_account_password_policy" { default = true }
variable "max_password_age" { default = 0 }
variable "minimum_password_length" { default = 8 }
variable "allow_users_to_change_password" { default = true }
variable "hard_expiry" { default = false }
variable "password_reuse_prevention" { default = null }
variable "require_lowercase_characters" { default = true }
variable "require_uppercase_characters" { default = true }
variable "require_numbers" { default = true }
variable "require_symbols" { default = true }

resource "aws_iam_account_password_policy" "this" {
  count = var.create && var.create_account_password_policy ? 1 : 0

  max_password_age               = var.max_password_age
  minimum_password_length        = var.minimum_password_length
  allow_users_to_change_password = var.allow_users_to_change_password
  hard_expiry                    = var.hard_expiry
  password_reuse_prevention      = var.password_reuse_prevention
  require_lowercase_characters   = var.require_lowercase_characters
  require_uppercase_characters   = var.require_uppercase_characters
  require_numbers                = var.require_numbers
  require_symbols                = var.require_symbols
}
