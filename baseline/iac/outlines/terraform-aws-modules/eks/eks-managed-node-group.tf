# A node group with its launch template and role.
#
# Never writes aws_iam_role: inline_policy, managed_policy_arns, max_session_duration
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "tags" { default = {} }
variable "cluster_name" { default = null }
variable "name" { default = "" }
variable "subnet_ids" { default = null }
variable "instance_types" { default = null }
variable "remote_access" { default = {} }
variable "use_custom_launch_template" { default = true }
variable "create_launch_template" { default = true }
variable "launch_template_use_name_prefix" { default = true }
variable "launch_template_name" { default = null }
variable "user_data" { default = null }
variable "block_device_mappings" { default = {} }
variable "network_interfaces" { default = [] }
variable "metadata_options" { default = null }
variable "vpc_security_group_ids" { default = [] }
variable "create_iam_role" { default = true }
variable "iam_role_arn" { default = null }
variable "iam_role_name" { default = null }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_attach_cni_policy" { default = true }
variable "iam_role_additional_policies" { default = {} }

# What nodes run when they start.
variable "user_data_of_the_nodes" {}

locals {
  template = var.create && var.create_launch_template && var.use_custom_launch_template
  metadata = try(coalesce(var.metadata_options, {}), {})
  role     = try(coalesce(var.iam_role_name, "${var.name}-eks-node-group"), "")
  access   = coalesce(var.remote_access, {})
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

resource "aws_eks_node_group" "this" {
  count = var.create ? 1 : 0

  cluster_name    = var.cluster_name
  node_group_name = var.name
  node_role_arn   = var.create_iam_role ? aws_iam_role.this[0].arn : var.iam_role_arn
  subnet_ids      = var.subnet_ids
  instance_types  = var.instance_types
  tags            = var.tags

  dynamic "remote_access" {
    for_each = length(local.access) > 0 ? [local.access] : []
    content {
      ec2_ssh_key               = try(remote_access.value.ec2_ssh_key, null)
      source_security_group_ids = try(remote_access.value.source_security_group_ids, [])
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
  count = var.create && var.create_iam_role ? 1 : 0

  name                 = null
  name_prefix          = "${local.role}-"
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for name in ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly", var.iam_role_attach_cni_policy ? "AmazonEKS_CNI_Policy" : ""] : name => "arn:aws:iam::aws:policy/${name}" if name != "" && var.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_iam_role_policy_attachment" "additional" {
  for_each = { for k, v in try(tomap(var.iam_role_additional_policies), { for arn in var.iam_role_additional_policies : arn => arn }) : k => v if var.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}
