# What a real plan of this says is in plan.json: see README.md.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "3.39.0"
    }
  }
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_get_ec2_platforms      = true
  default_tags {
    tags = { owner = "platform" }
  }
}

variable "teams" {
  type = map(object({
    size   = number
    public = optional(bool, false)
    ports  = optional(list(number), [443])
  }))
  default = {
    shop = { size = 2 }
    data = { size = 3, public = true, ports = [443, 8443] }
  }
}

variable "stages" {
  default = ["dev", "prod"]
}

variable "off" {
  type    = bool
  default = false
}

locals {
  pairs   = { for p in setproduct(keys(var.teams), var.stages) : "${p[0]}-${p[1]}" => { team = p[0], stage = p[1] } }
  widest  = max([for t in values(var.teams) : t.size]...)
  names   = [for k, v in local.pairs : upper(replace(k, "-", "_")) if v.stage == "prod"]
  cidrs   = cidrsubnets("10.20.0.0/16", 4, 4, 8)
  tags    = merge({ stage = "all" }, { for i, s in var.stages : "s${i}" => s })
  encoded = base64encode(jsonencode({ names = local.names, n = local.widest }))
  rules   = flatten([for name, t in var.teams : [for p in t.ports : { name = name, port = p }]])
  text    = <<-EOT
    %{for n in local.names~}
    name=${n}
    %{endfor~}
    ${length(local.pairs) > 3 ? "many" : "few"}
  EOT
}

module "store" {
  source   = "./modules/store"
  for_each = local.pairs
  name     = each.key
  public   = var.teams[each.value.team].public
  keep     = each.value.stage == "prod"
}

resource "aws_sqs_queue" "work" {
  count                      = local.widest
  name                       = format("work-%02d", count.index)
  visibility_timeout_seconds = 30 * (count.index + 1)
  fifo_queue                 = false
  redrive_policy             = count.index == 0 ? null : jsonencode({ maxReceiveCount = 3, deadLetterTargetArn = "arn:aws:sqs:eu-west-1:111122223333:dead" })
  tags                       = local.tags
}

resource "aws_sqs_queue" "never" {
  count = var.off ? 1 : 0
  name  = "never"
}

resource "aws_security_group" "app" {
  name        = "app"
  description = trimspace("  for the application ")
  vpc_id      = "vpc-1"

  dynamic "ingress" {
    for_each = local.rules
    iterator = rule
    content {
      description = rule.value.name
      from_port   = rule.value.port
      to_port     = rule.value.port
      protocol    = "tcp"
      cidr_blocks = [local.cidrs[0], element(local.cidrs, rule.key)]
    }
  }
}

resource "aws_ssm_parameter" "text" {
  name  = "/app/text"
  type  = "String"
  value = local.text
}

resource "aws_ssm_parameter" "encoded" {
  name  = join("/", ["", "app", try(var.teams.nobody.name, "encoded")])
  type  = can(regex("^[A-Z]", local.names[0])) ? "String" : "SecureString"
  value = local.encoded
}

data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject", "s3:ListBucket"]
    resources = [for k in keys(local.pairs) : "arn:aws:s3:::nw-${k}/*"]
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["true"]
    }
  }
}

resource "aws_iam_policy" "read" {
  name   = "read"
  policy = data.aws_iam_policy_document.read.json
}

resource "aws_dynamodb_table" "t" {
  for_each     = toset([for s in var.stages : title(s)])
  name         = each.value
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = substr("String", 0, 1)
  }
  point_in_time_recovery {
    enabled = contains(["Prod"], each.key)
  }
}
