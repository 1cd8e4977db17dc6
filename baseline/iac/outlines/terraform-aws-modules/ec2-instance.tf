# An instance with what it may need: a role and its profile, an address, and since 6.0 volumes of their own and a security group.
#
# Never writes aws_security_group: egress, ingress
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never writes aws_eip: network_interface
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "instance_count" { default = 1 } # before 3.0
variable "name" { default = "" }
variable "tags" { default = {} }
variable "instance_tags" { default = {} }
variable "ami" { default = null }
variable "ignore_ami_changes" { default = false }
variable "instance_type" { default = "t3.micro" }
variable "associate_public_ip_address" { default = null }
variable "ebs_optimized" { default = null }
variable "enclave_options_enabled" { default = null }
variable "ipv6_addresses" { default = null }
variable "monitoring" { default = null }
variable "network_interface" { default = null }
variable "source_dest_check" { default = null }
variable "subnet_id" { default = null }
variable "user_data" { default = null }
variable "user_data_base64" { default = null }
variable "vpc_security_group_ids" { default = null }
variable "metadata_options" { default = null }
variable "launch_template" { default = null }
variable "root_block_device" { default = null }
variable "ebs_block_device" { default = [] }
variable "ebs_volumes" { default = {} }
variable "create_spot_instance" { default = false }
variable "create_eip" { default = false }
variable "create_iam_instance_profile" { default = false }
variable "iam_instance_profile" { default = null }
variable "iam_role_name" { default = null }
variable "iam_role_use_name_prefix" { default = true }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_policies" { default = {} }
variable "create_security_group" { default = true }
variable "security_group_name" { default = null }
variable "security_group_use_name_prefix" { default = true }
variable "security_group_description" { default = null }
variable "security_group_vpc_id" { default = null }
variable "security_group_egress_rules" { default = null }
variable "security_group_ingress_rules" { default = {} }

# What a parameter of Systems Manager and the subnet say.
variable "newest_image" {}
variable "vpc_of_the_subnet" {}

locals {
  # Calls that say nothing of the version and give lists of devices were written for 5 and older.
  six        = var.version >= 60000 && length(var.ebs_block_device) == 0 && !can(var.root_block_device[0])
  ami        = try(coalesce(var.ami, var.newest_image), var.newest_image)
  interfaces = length(coalesce(var.network_interface, []))
  metadata   = coalesce(var.metadata_options, local.six ? { http_tokens = "required" } : { http_tokens = "optional" })
  number     = !var.create ? 0 : var.version < 30000 ? var.instance_count : 1
  own_group  = local.six && var.create && var.create_security_group && local.interfaces == 0
  groups     = local.own_group ? concat(coalesce(var.vpc_security_group_ids, []), [aws_security_group.this[0].id]) : local.interfaces > 0 ? null : var.vpc_security_group_ids
  group_name = try(coalesce(var.security_group_name, var.name), "")
  role_name  = try(coalesce(var.iam_role_name, var.name), "")
  egress = var.security_group_egress_rules != null ? var.security_group_egress_rules : {
    ipv4_default = { cidr_ipv4 = "0.0.0.0/0", ip_protocol = "-1", description = "Allow all IPv4 traffic" }
    ipv6_default = { cidr_ipv6 = "::/0", ip_protocol = "-1", description = "Allow all IPv6 traffic" }
  }
}

resource "aws_instance" "this" {
  count = !var.ignore_ami_changes && !var.create_spot_instance ? local.number : 0

  ami                         = local.ami
  instance_type               = var.instance_type
  associate_public_ip_address = var.associate_public_ip_address
  ebs_optimized               = var.ebs_optimized
  iam_instance_profile        = var.create_iam_instance_profile ? aws_iam_role.this[0].name : var.iam_instance_profile
  ipv6_addresses              = var.ipv6_addresses
  monitoring                  = var.monitoring
  source_dest_check           = local.interfaces > 0 ? null : var.source_dest_check
  subnet_id                   = var.subnet_id
  user_data                   = var.user_data
  user_data_base64            = var.user_data_base64
  vpc_security_group_ids      = local.groups
  tags                        = merge({ Name = var.name }, var.tags, var.instance_tags)

  enclave_options {
    enabled = var.enclave_options_enabled
  }
  dynamic "launch_template" {
    for_each = length(keys(coalesce(var.launch_template, {}))) > 0 ? [var.launch_template] : []
    content {
      id      = try(launch_template.value.id, null)
      name    = try(launch_template.value.name, null)
      version = try(launch_template.value.version, null)
    }
  }
  dynamic "metadata_options" {
    for_each = length(keys(local.metadata)) > 0 ? [local.metadata] : []
    content {
      http_endpoint               = try(metadata_options.value["http_endpoint"], "enabled")
      http_tokens                 = try(metadata_options.value["http_tokens"], local.six ? "required" : "optional")
      http_put_response_hop_limit = try(metadata_options.value["http_put_response_hop_limit"], 1)
      instance_metadata_tags      = try(metadata_options.value["instance_metadata_tags"], null)
    }
  }
  dynamic "root_block_device" {
    for_each = flatten([coalesce(var.root_block_device, [])])
    content {
      delete_on_termination = try(root_block_device.value.delete_on_termination, null)
      encrypted             = try(root_block_device.value.encrypted, null)
      kms_key_id            = try(root_block_device.value.kms_key_id, null)
      volume_size           = try(root_block_device.value.size, root_block_device.value.volume_size, null)
      volume_type           = try(root_block_device.value.type, root_block_device.value.volume_type, null)
    }
  }
  dynamic "ebs_block_device" {
    for_each = var.ebs_block_device
    content {
      delete_on_termination = try(ebs_block_device.value.delete_on_termination, null)
      device_name           = ebs_block_device.value.device_name
      encrypted             = try(ebs_block_device.value.encrypted, null)
      kms_key_id            = try(ebs_block_device.value.kms_key_id, null)
      snapshot_id           = try(ebs_block_device.value.snapshot_id, null)
      volume_size           = try(ebs_block_device.value.volume_size, null)
      volume_type           = try(ebs_block_device.value.volume_type, null)
    }
  }
  dynamic "network_interface" {
    for_each = coalesce(var.network_interface, [])
    content {
      device_index         = try(network_interface.value.device_index, network_interface.key)
      network_interface_id = try(network_interface.value.network_interface_id, null)
    }
  }
}

resource "aws_instance" "ignore_ami" {
  count = var.ignore_ami_changes && !var.create_spot_instance ? local.number : 0

  ami                         = local.ami
  instance_type               = var.instance_type
  associate_public_ip_address = var.associate_public_ip_address
  ebs_optimized               = var.ebs_optimized
  iam_instance_profile        = var.create_iam_instance_profile ? aws_iam_role.this[0].name : var.iam_instance_profile
  ipv6_addresses              = var.ipv6_addresses
  monitoring                  = var.monitoring
  source_dest_check           = local.interfaces > 0 ? null : var.source_dest_check
  subnet_id                   = var.subnet_id
  user_data                   = var.user_data
  user_data_base64            = var.user_data_base64
  vpc_security_group_ids      = local.groups
  tags                        = merge({ Name = var.name }, var.tags, var.instance_tags)

  enclave_options {
    enabled = var.enclave_options_enabled
  }
  dynamic "launch_template" {
    for_each = length(keys(coalesce(var.launch_template, {}))) > 0 ? [var.launch_template] : []
    content {
      id      = try(launch_template.value.id, null)
      name    = try(launch_template.value.name, null)
      version = try(launch_template.value.version, null)
    }
  }
  dynamic "metadata_options" {
    for_each = length(keys(local.metadata)) > 0 ? [local.metadata] : []
    content {
      http_endpoint               = try(metadata_options.value["http_endpoint"], "enabled")
      http_tokens                 = try(metadata_options.value["http_tokens"], local.six ? "required" : "optional")
      http_put_response_hop_limit = try(metadata_options.value["http_put_response_hop_limit"], 1)
      instance_metadata_tags      = try(metadata_options.value["instance_metadata_tags"], null)
    }
  }
  dynamic "root_block_device" {
    for_each = flatten([coalesce(var.root_block_device, [])])
    content {
      delete_on_termination = try(root_block_device.value.delete_on_termination, null)
      encrypted             = try(root_block_device.value.encrypted, null)
      kms_key_id            = try(root_block_device.value.kms_key_id, null)
      volume_size           = try(root_block_device.value.size, root_block_device.value.volume_size, null)
      volume_type           = try(root_block_device.value.type, root_block_device.value.volume_type, null)
    }
  }
  dynamic "ebs_block_device" {
    for_each = var.ebs_block_device
    content {
      delete_on_termination = try(ebs_block_device.value.delete_on_termination, null)
      device_name           = ebs_block_device.value.device_name
      encrypted             = try(ebs_block_device.value.encrypted, null)
      kms_key_id            = try(ebs_block_device.value.kms_key_id, null)
      snapshot_id           = try(ebs_block_device.value.snapshot_id, null)
      volume_size           = try(ebs_block_device.value.volume_size, null)
      volume_type           = try(ebs_block_device.value.volume_type, null)
    }
  }
  dynamic "network_interface" {
    for_each = coalesce(var.network_interface, [])
    content {
      device_index         = try(network_interface.value.device_index, network_interface.key)
      network_interface_id = try(network_interface.value.network_interface_id, null)
    }
  }
}

resource "aws_spot_instance_request" "this" {
  count = var.create && var.create_spot_instance ? 1 : 0

  ami                    = local.ami
  instance_type          = var.instance_type
  vpc_security_group_ids = local.groups
}

resource "aws_ebs_volume" "this" {
  for_each = { for k, v in coalesce(var.ebs_volumes, {}) : k => v if var.create }

  availability_zone = try(aws_instance.this[0].availability_zone, aws_instance.ignore_ami[0].availability_zone, "")
  encrypted         = try(each.value.encrypted, null)
  kms_key_id        = try(each.value.kms_key_id, null)
  size              = try(each.value.size, null)
  type              = try(each.value.type, "gp3")
  tags              = var.tags
}

resource "aws_volume_attachment" "this" {
  for_each = { for k, v in coalesce(var.ebs_volumes, {}) : k => v if var.create }

  device_name = try(each.value.device_name, each.key)
  instance_id = try(aws_instance.this[0].id, aws_instance.ignore_ami[0].id, "")
  volume_id   = aws_ebs_volume.this[each.key].id
}

data "aws_iam_policy_document" "assume_role_policy" {
  statement {
    sid     = "EC2AssumeRole"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  count = var.create && var.create_iam_instance_profile ? 1 : 0

  name                 = var.iam_role_use_name_prefix ? null : local.role_name
  name_prefix          = var.iam_role_use_name_prefix ? "${local.role_name}-" : null
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for k, v in var.iam_role_policies : k => v if var.create && var.create_iam_instance_profile }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_security_group" "this" {
  count = local.own_group ? 1 : 0

  name        = var.security_group_use_name_prefix ? null : local.group_name
  name_prefix = var.security_group_use_name_prefix ? "${local.group_name}-" : null
  description = var.security_group_description
  vpc_id      = coalesce(var.security_group_vpc_id, var.vpc_of_the_subnet)
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = { for k, v in local.egress : k => v if local.own_group }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, each.value.to_port, null)
  to_port                      = try(each.value.to_port, each.value.from_port, null)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = { for k, v in coalesce(var.security_group_ingress_rules, {}) : k => v if local.own_group }

  security_group_id            = aws_security_group.this[0].id
  cidr_ipv4                    = try(each.value.cidr_ipv4, null)
  cidr_ipv6                    = try(each.value.cidr_ipv6, null)
  description                  = try(each.value.description, null)
  from_port                    = try(each.value.from_port, each.value.to_port, null)
  to_port                      = try(each.value.to_port, each.value.from_port, null)
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  prefix_list_id               = try(each.value.prefix_list_id, null)
  referenced_security_group_id = try(each.value.referenced_security_group_id, null)
}

resource "aws_eip" "this" {
  count = var.create && var.create_eip && !var.create_spot_instance ? 1 : 0

  instance = try(aws_instance.this[0].id, aws_instance.ignore_ami[0].id, "")
  tags     = var.tags
}

output "id" { value = try(aws_instance.this[0].id, aws_instance.ignore_ami[0].id, null) }
output "arn" { value = try(aws_instance.this[0].arn, aws_instance.ignore_ami[0].arn, null) }
output "iam_role_arn" { value = try(aws_iam_role.this[0].arn, null) }
output "iam_role_name" { value = try(aws_iam_role.this[0].name, null) }
output "security_group_id" { value = try(aws_security_group.this[0].id, null) }
