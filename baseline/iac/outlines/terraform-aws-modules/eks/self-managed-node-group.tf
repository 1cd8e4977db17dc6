# A group of nodes that the module manages itself: Auto Scaling with a launch template, and a role.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never writes aws_autoscaling_group: launch_configuration, load_balancers, mixed_instances_policy, tags
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "tags" { default = {} }
variable "cluster_name" { default = null }
variable "name" { default = "" }
variable "subnet_ids" { default = null }
variable "create_autoscaling_group" { default = true }
variable "min_size" { default = null }
variable "max_size" { default = null }
variable "health_check_type" { default = null }
variable "capacity_rebalance" { default = null }
variable "target_group_arns" { default = [] }
variable "launch_template_id" { default = "" }
variable "associate_public_ip_address" { default = null }
variable "create_launch_template" { default = true }
variable "launch_template_use_name_prefix" { default = true }
variable "launch_template_name" { default = null }
variable "user_data" { default = null }
variable "block_device_mappings" { default = {} }
variable "network_interfaces" { default = [] }
variable "metadata_options" { default = null }
variable "vpc_security_group_ids" { default = [] }
variable "create_iam_instance_profile" { default = true }
variable "iam_role_name" { default = null }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_attach_cni_policy" { default = true }
variable "iam_role_additional_policies" { default = {} }

# What nodes run when they start.
variable "user_data_of_the_nodes" {}

locals {
  template = var.create && var.create_launch_template
  metadata = try(coalesce(var.metadata_options, {}), {})
  role     = try(coalesce(var.iam_role_name, "${var.name}-node-group"), "")
}

resource "aws_launch_template" "this" {
  count = local.template ? 1 : 0

  name                   = var.launch_template_use_name_prefix ? null : var.name
  name_prefix            = var.launch_template_use_name_prefix ? "${var.name}-" : null
  user_data              = var.user_data_of_the_nodes
  vpc_security_group_ids = length(coalesce(var.network_interfaces, [])) > 0 ? [] : var.vpc_security_group_ids
  tags                   = var.tags

  metadata_options {
    http_endpoint               = try(local.metadata.http_endpoint, "enabled")
    http_tokens                 = try(local.metadata.http_tokens, "required")
    http_put_response_hop_limit = try(local.metadata.http_put_response_hop_limit, var.version >= 210000 ? 1 : 2)
  }
  dynamic "block_device_mappings" {
    for_each = coalesce(var.block_device_mappings, {})
    content {
      device_name = try(block_device_mappings.value.device_name, null)

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
  dynamic "network_interfaces" {
    for_each = coalesce(var.network_interfaces, [])
    content {
      associate_public_ip_address = try(network_interfaces.value.associate_public_ip_address, null)
      security_groups             = compact(concat(try(network_interfaces.value.security_groups, []), var.vpc_security_group_ids))
    }
  }
}

resource "aws_autoscaling_group" "this" {
  count = var.create && var.create_autoscaling_group ? 1 : 0

  name_prefix         = "${var.name}-"
  min_size            = var.min_size
  max_size            = var.max_size
  availability_zones  = null
  vpc_zone_identifier = var.subnet_ids
  health_check_type   = var.health_check_type
  capacity_rebalance  = var.capacity_rebalance
  target_group_arns   = var.target_group_arns

  launch_template {
    id = try(aws_launch_template.this[0].id, var.launch_template_id)
  }
  dynamic "tag" {
    for_each = merge({ Name = var.name, "kubernetes.io/cluster/${var.cluster_name}" = "owned" }, var.tags)
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

data "aws_iam_policy_document" "assume_role_policy" {
  statement {
    sid     = "EKSNodeAssumeRole"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  count = var.create && var.create_iam_instance_profile ? 1 : 0

  name                 = null
  name_prefix          = "${local.role}-"
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for name in ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly", var.iam_role_attach_cni_policy ? "AmazonEKS_CNI_Policy" : ""] : name => "arn:aws:iam::aws:policy/${name}" if name != "" && var.create && var.create_iam_instance_profile }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_iam_role_policy_attachment" "additional" {
  for_each = { for k, v in try(tomap(var.iam_role_additional_policies), { for arn in var.iam_role_additional_policies : arn => arn }) : k => v if var.create && var.create_iam_instance_profile }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}
