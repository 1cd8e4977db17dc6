# A group that scales, with its launch template and role. Versions before 4.0 made a launch configuration, which 5.0 does no longer.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never writes aws_autoscaling_group: tags
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_asg" { default = true }
variable "ignore_desired_capacity_changes" { default = false }
variable "name" { default = "" }
variable "instance_name" { default = "" }
variable "use_name_prefix" { default = true }
variable "tags" { default = {} }
variable "tags_as_map" { default = {} }
variable "autoscaling_group_tags" { default = {} }
variable "min_size" { default = null }
variable "max_size" { default = null }
variable "availability_zones" { default = null }
variable "vpc_zone_identifier" { default = null }
variable "health_check_type" { default = null }
variable "capacity_rebalance" { default = null }
variable "load_balancers" { default = [] }
variable "target_group_arns" { default = [] }
variable "use_mixed_instances_policy" { default = false }
variable "mixed_instances_policy" { default = null }
variable "create_launch_template" { default = true }
variable "create_lt" { default = false }
variable "use_lt" { default = false }
variable "create_lc" { default = null }
variable "use_lc" { default = null }
variable "launch_configuration" { default = null }
variable "launch_template" { default = null }
variable "launch_template_id" { default = null }
variable "launch_template_version" { default = null }
variable "launch_template_name" { default = null }
variable "launch_template_use_name_prefix" { default = true }
variable "image_id" { default = "" }
variable "instance_type" { default = null }
variable "ebs_optimized" { default = null }
variable "key_name" { default = null }
variable "user_data" { default = null }
variable "user_data_base64" { default = null }
variable "security_groups" { default = [] }
variable "network_interfaces" { default = [] }
variable "associate_public_ip_address" { default = null }
variable "block_device_mappings" { default = [] }
variable "root_block_device" { default = [] }
variable "ebs_block_device" { default = [] }
variable "metadata_options" { default = null }
variable "enable_monitoring" { default = true }
variable "create_iam_instance_profile" { default = false }
variable "iam_instance_profile_name" { default = null }
variable "iam_instance_profile_arn" { default = null }
variable "iam_instance_profile" { default = null }
variable "iam_role_name" { default = null }
variable "iam_role_use_name_prefix" { default = true }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_policies" { default = {} }
variable "iam_role_tags" { default = {} }

locals {
  create     = var.create && var.create_asg
  configures = var.version < 50000 && try(coalesce(var.create_lc, var.version < 40000), var.version < 40000)
  configured = var.version < 50000 && try(coalesce(var.use_lc, var.version < 40000), var.version < 40000)
  templates  = var.version < 50000 ? var.version >= 40000 && var.create_lt : var.create_launch_template
  metadata   = try(coalesce(var.metadata_options, {}), {})
  asked      = var.metadata_options != null ? length(local.metadata) > 0 : var.version >= 90000
  role       = try(coalesce(var.iam_role_name, var.name), "")
}

resource "aws_launch_template" "this" {
  count = local.templates ? 1 : 0

  name                   = var.launch_template_use_name_prefix ? null : try(coalesce(var.launch_template_name, var.name), null)
  name_prefix            = var.launch_template_use_name_prefix ? "${try(coalesce(var.launch_template_name, var.name), "")}-" : null
  image_id               = var.image_id
  instance_type          = var.instance_type
  ebs_optimized          = var.ebs_optimized
  user_data              = var.version < 50000 ? var.user_data_base64 : var.user_data
  vpc_security_group_ids = length(var.network_interfaces) > 0 ? [] : var.security_groups
  tags                   = try(tomap(var.tags), {})

  dynamic "block_device_mappings" {
    for_each = coalesce(var.block_device_mappings, [])
    content {
      device_name = block_device_mappings.value.device_name

      dynamic "ebs" {
        for_each = try(flatten([block_device_mappings.value.ebs]), [])
        content {
          delete_on_termination = try(ebs.value.delete_on_termination, null)
          encrypted             = try(ebs.value.encrypted, null)
          kms_key_id            = try(ebs.value.kms_key_id, null)
          volume_size           = try(ebs.value.volume_size, null)
          volume_type           = try(ebs.value.volume_type, null)
        }
      }
    }
  }
  dynamic "metadata_options" {
    for_each = local.asked ? [local.metadata] : []
    content {
      http_endpoint               = try(metadata_options.value.http_endpoint, var.version >= 90000 ? "enabled" : null)
      http_tokens                 = try(metadata_options.value.http_tokens, var.version >= 90000 ? "required" : null)
      http_put_response_hop_limit = try(metadata_options.value.http_put_response_hop_limit, var.version >= 90000 ? 1 : null)
    }
  }
  dynamic "network_interfaces" {
    for_each = coalesce(var.network_interfaces, [])
    content {
      associate_public_ip_address = try(network_interfaces.value.associate_public_ip_address, null)
      security_groups             = compact(concat(try(network_interfaces.value.security_groups, []), var.security_groups))
    }
  }
  dynamic "iam_instance_profile" {
    for_each = var.create_iam_instance_profile || var.iam_instance_profile_name != null || var.iam_instance_profile_arn != null ? [true] : []
    content {
      name = var.create_iam_instance_profile ? local.role : var.iam_instance_profile_name
      arn  = var.create_iam_instance_profile ? null : var.iam_instance_profile_arn
    }
  }
}

resource "aws_launch_configuration" "this" {
  count = local.configures ? 1 : 0

  name_prefix                 = "${var.name}-"
  image_id                    = var.image_id
  instance_type               = var.instance_type
  associate_public_ip_address = var.associate_public_ip_address
  ebs_optimized               = var.ebs_optimized
  user_data                   = var.user_data
  user_data_base64            = var.user_data_base64
  security_groups             = var.security_groups

  dynamic "metadata_options" {
    for_each = length(local.metadata) > 0 ? [local.metadata] : []
    content {
      http_endpoint               = try(metadata_options.value.http_endpoint, null)
      http_tokens                 = try(metadata_options.value.http_tokens, null)
      http_put_response_hop_limit = try(metadata_options.value.http_put_response_hop_limit, null)
    }
  }
  dynamic "root_block_device" {
    for_each = var.root_block_device
    content {
      encrypted   = try(root_block_device.value.encrypted, null)
      volume_size = try(root_block_device.value.volume_size, null)
      volume_type = try(root_block_device.value.volume_type, null)
    }
  }
  dynamic "ebs_block_device" {
    for_each = var.ebs_block_device
    content {
      device_name = ebs_block_device.value.device_name
      encrypted   = try(ebs_block_device.value.encrypted, null)
      volume_size = try(ebs_block_device.value.volume_size, null)
      volume_type = try(ebs_block_device.value.volume_type, null)
    }
  }
}

resource "aws_autoscaling_group" "this" {
  count = local.create && !var.ignore_desired_capacity_changes ? 1 : 0

  name                 = var.use_name_prefix ? null : var.name
  name_prefix          = var.use_name_prefix ? "${var.name}-" : null
  min_size             = var.min_size
  max_size             = var.max_size
  availability_zones   = var.availability_zones
  vpc_zone_identifier  = var.vpc_zone_identifier
  launch_configuration = local.configured ? try(aws_launch_configuration.this[0].name, var.launch_configuration) : null
  health_check_type    = var.health_check_type
  capacity_rebalance   = var.capacity_rebalance
  load_balancers       = var.load_balancers
  target_group_arns    = var.target_group_arns

  dynamic "launch_template" {
    for_each = local.configured || var.use_mixed_instances_policy ? [] : [true]
    content {
      id      = try(aws_launch_template.this[0].id, var.launch_template_id)
      version = try(aws_launch_template.this[0].latest_version, var.launch_template_version)
    }
  }
  dynamic "mixed_instances_policy" {
    for_each = var.use_mixed_instances_policy ? [var.mixed_instances_policy] : []
    content {
      launch_template {
        launch_template_specification {
          launch_template_id = try(aws_launch_template.this[0].id, var.launch_template_id)
        }
        dynamic "override" {
          for_each = try(mixed_instances_policy.value.launch_template.override, mixed_instances_policy.value.override, [])
          content {
            instance_type     = try(override.value.instance_type, null)
            weighted_capacity = try(override.value.weighted_capacity, null)
          }
        }
      }
    }
  }
  dynamic "tag" {
    for_each = merge(try(tomap(var.tags), {}), try(tomap(var.tags_as_map), {}), { Name = try(coalesce(var.instance_name, var.name), var.name) }, var.autoscaling_group_tags)
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

resource "aws_autoscaling_group" "idc" {
  count = local.create && var.ignore_desired_capacity_changes ? 1 : 0

  name                 = var.use_name_prefix ? null : var.name
  name_prefix          = var.use_name_prefix ? "${var.name}-" : null
  min_size             = var.min_size
  max_size             = var.max_size
  availability_zones   = var.availability_zones
  vpc_zone_identifier  = var.vpc_zone_identifier
  launch_configuration = local.configured ? try(aws_launch_configuration.this[0].name, var.launch_configuration) : null
  health_check_type    = var.health_check_type
  capacity_rebalance   = var.capacity_rebalance
  load_balancers       = var.load_balancers
  target_group_arns    = var.target_group_arns

  dynamic "launch_template" {
    for_each = local.configured || var.use_mixed_instances_policy ? [] : [true]
    content {
      id      = try(aws_launch_template.this[0].id, var.launch_template_id)
      version = try(aws_launch_template.this[0].latest_version, var.launch_template_version)
    }
  }
  dynamic "mixed_instances_policy" {
    for_each = var.use_mixed_instances_policy ? [var.mixed_instances_policy] : []
    content {
      launch_template {
        launch_template_specification {
          launch_template_id = try(aws_launch_template.this[0].id, var.launch_template_id)
        }
        dynamic "override" {
          for_each = try(mixed_instances_policy.value.launch_template.override, mixed_instances_policy.value.override, [])
          content {
            instance_type     = try(override.value.instance_type, null)
            weighted_capacity = try(override.value.weighted_capacity, null)
          }
        }
      }
    }
  }
  dynamic "tag" {
    for_each = merge(try(tomap(var.tags), {}), try(tomap(var.tags_as_map), {}), { Name = try(coalesce(var.instance_name, var.name), var.name) }, var.autoscaling_group_tags)
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
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
  count = local.create && var.create_iam_instance_profile ? 1 : 0

  name                 = var.iam_role_use_name_prefix ? null : local.role
  name_prefix          = var.iam_role_use_name_prefix ? "${local.role}-" : null
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = merge(try(tomap(var.tags), {}), var.iam_role_tags)
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for k, v in var.iam_role_policies : k => v if local.create && var.create_iam_instance_profile }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

output "autoscaling_group_id" { value = try(aws_autoscaling_group.this[0].id, aws_autoscaling_group.idc[0].id, null) }
output "autoscaling_group_name" { value = try(aws_autoscaling_group.this[0].name, aws_autoscaling_group.idc[0].name, null) }
output "autoscaling_group_arn" { value = try(aws_autoscaling_group.this[0].arn, aws_autoscaling_group.idc[0].arn, null) }
output "launch_template_id" { value = try(aws_launch_template.this[0].id, null) }
