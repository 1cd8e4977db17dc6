# A cluster with its role, key, log group and security groups, and its nodes. 21.0 took `cluster_` off its inputs. Add-ons and access entries are left
# out: no kind reads them. Nodes before 18.0 are not said.
#
# Never writes aws_iam_role: managed_policy_arns, max_session_duration
# Never writes aws_security_group: egress, ingress
# Never writes aws_eks_node_group: tags_all
# Never declares: anything else

variable "version" {}

variable "create" { default = true }
variable "create_eks" { default = true }
variable "tags" { default = {} }
variable "cluster_tags" { default = {} }
variable "prefix_separator" { default = "-" }
variable "name" { default = null }
variable "cluster_name" { default = null }
variable "kubernetes_version" { default = null }
variable "cluster_version" { default = null }
variable "vpc_id" { default = null }
variable "subnet_ids" { default = [] }
variable "subnets" { default = [] }
variable "control_plane_subnet_ids" { default = [] }
variable "enabled_log_types" { default = null }
variable "cluster_enabled_log_types" { default = null }
variable "endpoint_private_access" { default = null }
variable "cluster_endpoint_private_access" { default = null }
variable "endpoint_public_access" { default = null }
variable "cluster_endpoint_public_access" { default = null }
variable "endpoint_public_access_cidrs" { default = null }
variable "cluster_endpoint_public_access_cidrs" { default = null }
variable "encryption_config" { default = {} }
variable "cluster_encryption_config" { default = null }
variable "authentication_mode" { default = "API_AND_CONFIG_MAP" }
variable "deletion_protection" { default = null }
variable "outpost_config" { default = null }
variable "create_kms_key" { default = null }
variable "kms_key_description" { default = null }
variable "kms_key_deletion_window_in_days" { default = null }
variable "enable_kms_key_rotation" { default = true }
variable "kms_key_enable_default_policy" { default = null }
variable "kms_key_owners" { default = [] }
variable "kms_key_administrators" { default = [] }
variable "kms_key_users" { default = [] }
variable "kms_key_service_users" { default = [] }
variable "kms_key_source_policy_documents" { default = [] }
variable "kms_key_override_policy_documents" { default = [] }
variable "kms_key_aliases" { default = [] }
variable "create_cloudwatch_log_group" { default = true }
variable "cloudwatch_log_group_retention_in_days" { default = null }
variable "cluster_log_retention_in_days" { default = null }
variable "cloudwatch_log_group_kms_key_id" { default = null }
variable "cluster_log_kms_key_id" { default = null }
variable "create_security_group" { default = null }
variable "create_cluster_security_group" { default = null }
variable "security_group_id" { default = null }
variable "cluster_security_group_id" { default = null }
variable "additional_security_group_ids" { default = [] }
variable "cluster_additional_security_group_ids" { default = [] }
variable "security_group_additional_rules" { default = {} }
variable "cluster_security_group_additional_rules" { default = {} }
variable "cluster_egress_cidrs" { default = ["0.0.0.0/0"] }
variable "create_node_security_group" { default = true }
variable "node_security_group_id" { default = "" }
variable "node_security_group_additional_rules" { default = {} }
variable "node_security_group_enable_recommended_rules" { default = true }
variable "enable_irsa" { default = null }
variable "create_iam_role" { default = true }
variable "iam_role_arn" { default = null }
variable "iam_role_name" { default = null }
variable "iam_role_path" { default = null }
variable "iam_role_permissions_boundary" { default = null }
variable "iam_role_additional_policies" { default = {} }
variable "iam_role_use_name_prefix" { default = true }
variable "attach_encryption_policy" { default = true }
variable "attach_cluster_encryption_policy" { default = true }
variable "eks_managed_node_groups" { default = {} }
variable "self_managed_node_groups" { default = {} }
variable "self_managed_node_group_defaults" { default = {} }
variable "fargate_profiles" { default = {} }
variable "fargate_profile_defaults" { default = {} }
variable "eks_managed_node_group_defaults" { default = {} }

# Who runs Terraform, what 17 and older opened between their groups, and what the role may say itself in 20 and newer.
variable "who_runs_terraform" {}
variable "rules_of_17" {}
variable "statements_of_the_role" {}

locals {
  # 19 shut the endpoint and encrypts secrets where nothing is said; 18 keeps logs.
  v18    = var.version >= 180000
  v19    = var.version >= 190000
  create = var.create && var.create_eks
  name   = try(coalesce(var.name, var.cluster_name), "")

  log_types  = var.enabled_log_types != null ? var.enabled_log_types : var.cluster_enabled_log_types != null ? var.cluster_enabled_log_types : local.v18 ? ["audit", "api", "authenticator"] : []
  private    = var.endpoint_private_access != null ? var.endpoint_private_access : var.cluster_endpoint_private_access != null ? var.cluster_endpoint_private_access : local.v19
  public     = var.endpoint_public_access != null ? var.endpoint_public_access : var.cluster_endpoint_public_access != null ? var.cluster_endpoint_public_access : !local.v19
  cidrs      = var.endpoint_public_access_cidrs != null ? var.endpoint_public_access_cidrs : var.cluster_endpoint_public_access_cidrs != null ? var.cluster_endpoint_public_access_cidrs : ["0.0.0.0/0"]
  own_key    = var.create_kms_key != null ? var.create_kms_key : local.v19
  secrets    = var.version >= 210000 && var.cluster_encryption_config == null ? (var.encryption_config != null ? [var.encryption_config] : []) : var.cluster_encryption_config == null ? (local.v19 ? [{}] : []) : try(length(keys(var.cluster_encryption_config)) > 0 ? [var.cluster_encryption_config] : [], var.cluster_encryption_config)
  logs       = local.create && (local.v18 ? var.create_cloudwatch_log_group : length(local.log_types) > 0)
  sg         = local.create && try(coalesce(var.create_security_group, var.create_cluster_security_group), true)
  node_sg    = local.create && var.create_node_security_group && local.v18
  sg_id      = local.sg ? aws_security_group.cluster[0].id : try(coalesce(var.security_group_id, var.cluster_security_group_id), "")
  node_sg_id = local.node_sg ? aws_security_group.node[0].id : var.node_security_group_id
  role_name  = try(coalesce(var.iam_role_name, "${local.name}-cluster"), "")

  sg_rules = local.v18 ? merge(
    local.node_sg ? { ingress_nodes_443 = { description = "Node groups to cluster API", protocol = "tcp", from_port = 443, to_port = 443, type = "ingress", source_node_security_group = true } } : {},
    local.v19 || !local.node_sg ? {} : {
      egress_nodes_443     = { description = "Cluster API to node groups", protocol = "tcp", from_port = 443, to_port = 443, type = "egress", source_node_security_group = true }
      egress_nodes_kubelet = { description = "Cluster API to node kubelets", protocol = "tcp", from_port = 10250, to_port = 10250, type = "egress", source_node_security_group = true }
    },
    var.security_group_additional_rules, var.cluster_security_group_additional_rules,
  ) : var.rules_of_17

  own_rules = merge(
    {
      ingress_cluster_443      = { description = "Cluster API to node groups", protocol = "tcp", from_port = 443, to_port = 443, type = "ingress", source_cluster_security_group = true }
      ingress_cluster_kubelet  = { description = "Cluster API to node kubelets", protocol = "tcp", from_port = 10250, to_port = 10250, type = "ingress", source_cluster_security_group = true }
      ingress_self_coredns_tcp = { description = "Node to node CoreDNS", protocol = "tcp", from_port = 53, to_port = 53, type = "ingress", self = true }
      ingress_self_coredns_udp = { description = "Node to node CoreDNS UDP", protocol = "udp", from_port = 53, to_port = 53, type = "ingress", self = true }
    },
    local.v19 ? {} : {
      egress_cluster_443      = { description = "Node groups to cluster API", protocol = "tcp", from_port = 443, to_port = 443, type = "egress", source_cluster_security_group = true }
      egress_self_coredns_tcp = { description = "Node to node CoreDNS", protocol = "tcp", from_port = 53, to_port = 53, type = "egress", self = true }
      egress_self_coredns_udp = { description = "Node to node CoreDNS", protocol = "udp", from_port = 53, to_port = 53, type = "egress", self = true }
      egress_https            = { description = "Egress all HTTPS to internet", protocol = "tcp", from_port = 443, to_port = 443, type = "egress", cidr_blocks = ["0.0.0.0/0"] }
      egress_ntp_tcp          = { description = "Egress NTP/TCP to internet", protocol = "tcp", from_port = 123, to_port = 123, type = "egress", cidr_blocks = ["0.0.0.0/0"] }
      egress_ntp_udp          = { description = "Egress NTP/UDP to internet", protocol = "udp", from_port = 123, to_port = 123, type = "egress", cidr_blocks = ["0.0.0.0/0"] }
    },
    local.v19 && var.node_security_group_enable_recommended_rules ? {
      ingress_nodes_ephemeral      = { description = "Node to node ingress on ephemeral ports", protocol = "tcp", from_port = 1025, to_port = 65535, type = "ingress", self = true }
      ingress_cluster_4443_webhook = { description = "Cluster API to node 4443/tcp webhook", protocol = "tcp", from_port = 4443, to_port = 4443, type = "ingress", source_cluster_security_group = true }
      ingress_cluster_6443_webhook = { description = "Cluster API to node 6443/tcp webhook", protocol = "tcp", from_port = 6443, to_port = 6443, type = "ingress", source_cluster_security_group = true }
      ingress_cluster_8443_webhook = { description = "Cluster API to node 8443/tcp webhook", protocol = "tcp", from_port = 8443, to_port = 8443, type = "ingress", source_cluster_security_group = true }
      ingress_cluster_9443_webhook = { description = "Cluster API to node 9443/tcp webhook", protocol = "tcp", from_port = 9443, to_port = 9443, type = "ingress", source_cluster_security_group = true }
      egress_all                   = { description = "Allow all egress", protocol = "-1", from_port = 0, to_port = 0, type = "egress", cidr_blocks = ["0.0.0.0/0"] }
    } : {},
    var.node_security_group_additional_rules,
  )
}

resource "aws_eks_cluster" "this" {
  count = local.create ? 1 : 0

  name                      = local.name
  role_arn                  = var.create_iam_role ? aws_iam_role.this[0].arn : var.iam_role_arn
  version                   = try(coalesce(var.kubernetes_version, var.cluster_version), null)
  enabled_cluster_log_types = local.log_types
  deletion_protection       = var.deletion_protection
  tags                      = merge(var.tags, var.cluster_tags)

  vpc_config {
    security_group_ids      = compact(distinct(concat(var.additional_security_group_ids, var.cluster_additional_security_group_ids, [local.sg_id])))
    subnet_ids              = length(var.control_plane_subnet_ids) > 0 ? var.control_plane_subnet_ids : concat(var.subnet_ids, var.subnets)
    endpoint_private_access = local.private
    endpoint_public_access  = local.public
    public_access_cidrs     = local.cidrs
  }
  dynamic "access_config" {
    for_each = var.version >= 200000 ? [true] : []
    content {
      authentication_mode                         = var.authentication_mode
      bootstrap_cluster_creator_admin_permissions = false
    }
  }
  dynamic "encryption_config" {
    for_each = local.secrets
    content {
      provider {
        key_arn = local.own_key ? module.kms.key_arn : try(encryption_config.value.provider_key_arn, null)
      }
      resources = try(encryption_config.value.resources, ["secrets"])
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  count = local.logs ? 1 : 0

  name              = "/aws/eks/${local.name}/cluster"
  retention_in_days = try(coalesce(var.cloudwatch_log_group_retention_in_days, var.cluster_log_retention_in_days), 90)
  kms_key_id        = try(coalesce(var.cloudwatch_log_group_kms_key_id, var.cluster_log_kms_key_id), null)
  tags              = var.tags
}

module "kms" {
  source  = "terraform-aws-modules/kms/aws"
  version = "~> 2.0"

  create = local.create && local.own_key && length(local.secrets) > 0

  description               = try(coalesce(var.kms_key_description, "${local.name} cluster encryption key"), null)
  key_usage                 = "ENCRYPT_DECRYPT"
  deletion_window_in_days   = var.kms_key_deletion_window_in_days
  enable_key_rotation       = var.enable_kms_key_rotation
  enable_default_policy     = try(coalesce(var.kms_key_enable_default_policy, var.version >= 200000), var.version >= 200000)
  key_owners                = var.kms_key_owners
  key_administrators        = length(var.kms_key_administrators) > 0 ? var.kms_key_administrators : [var.who_runs_terraform]
  key_users                 = concat([try(aws_iam_role.this[0].arn, var.iam_role_arn)], var.kms_key_users)
  key_service_users         = var.kms_key_service_users
  source_policy_documents   = var.kms_key_source_policy_documents
  override_policy_documents = var.kms_key_override_policy_documents
  aliases                   = var.kms_key_aliases
  computed_aliases          = { cluster = { name = "eks/${local.name}" } }
  tags                      = var.tags
}

resource "aws_security_group" "cluster" {
  count = local.sg ? 1 : 0

  name        = null
  name_prefix = "${local.name}-cluster${var.prefix_separator}"
  description = "EKS cluster security group"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group_rule" "cluster" {
  for_each = { for k, v in local.sg_rules : k => v if local.sg }

  security_group_id        = aws_security_group.cluster[0].id
  type                     = try(each.value.type, "ingress")
  protocol                 = try(each.value.protocol, "tcp")
  from_port                = try(each.value.from_port, null)
  to_port                  = try(each.value.to_port, null)
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  self                     = try(each.value.self, null)
  source_security_group_id = try(each.value.source_node_security_group, false) ? local.node_sg_id : try(each.value.source_security_group_id, null)
}

resource "aws_security_group" "node" {
  count = local.node_sg ? 1 : 0

  name        = null
  name_prefix = "${local.name}-node${var.prefix_separator}"
  description = "EKS node shared security group"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group_rule" "node" {
  for_each = { for k, v in local.own_rules : k => v if local.node_sg }

  security_group_id        = aws_security_group.node[0].id
  type                     = try(each.value.type, "ingress")
  protocol                 = try(each.value.protocol, "tcp")
  from_port                = try(each.value.from_port, null)
  to_port                  = try(each.value.to_port, null)
  description              = try(each.value.description, null)
  cidr_blocks              = try(each.value.cidr_blocks, null)
  ipv6_cidr_blocks         = try(each.value.ipv6_cidr_blocks, null)
  prefix_list_ids          = try(each.value.prefix_list_ids, null)
  self                     = try(each.value.self, null)
  source_security_group_id = try(each.value.source_cluster_security_group, false) ? local.sg_id : try(each.value.source_security_group_id, null)
}

resource "aws_iam_openid_connect_provider" "oidc_provider" {
  count = local.create && try(coalesce(var.enable_irsa, local.v18), local.v18) ? 1 : 0

  client_id_list = ["sts.amazonaws.com"]
  url            = aws_eks_cluster.this[0].identity[0].oidc[0].issuer
  tags           = var.tags
}

data "aws_iam_policy_document" "assume_role_policy" {
  statement {
    sid     = "EKSClusterAssumeRole"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  count = local.create && var.create_iam_role ? 1 : 0

  name                 = var.iam_role_use_name_prefix ? null : local.role_name
  name_prefix          = var.iam_role_use_name_prefix ? "${local.role_name}${var.prefix_separator}" : null
  path                 = var.iam_role_path
  assume_role_policy   = data.aws_iam_policy_document.assume_role_policy.json
  permissions_boundary = var.iam_role_permissions_boundary
  tags                 = var.tags

  dynamic "inline_policy" {
    for_each = var.version >= 200000 ? var.statements_of_the_role : local.v18 && var.create_cloudwatch_log_group ? [true] : []
    content {
      name   = local.role_name
      policy = jsonencode({ Version = "2012-10-17", Statement = [{ Action = ["logs:CreateLogGroup"], Effect = "Deny", Resource = "*" }] })
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = { for name in ["AmazonEKSClusterPolicy", var.version >= 210000 ? "" : "AmazonEKSVPCResourceController"] : name => "arn:aws:iam::aws:policy/${name}" if name != "" && local.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_iam_role_policy_attachment" "additional" {
  for_each = { for k, v in try(tomap(var.iam_role_additional_policies), { for arn in var.iam_role_additional_policies : arn => arn }) : k => v if local.create && var.create_iam_role }

  role       = aws_iam_role.this[0].name
  policy_arn = each.value
}

resource "aws_iam_policy" "cluster_encryption" {
  count = local.create && var.create_iam_role && var.attach_encryption_policy && var.attach_cluster_encryption_policy && length(local.secrets) > 0 ? 1 : 0

  name        = null
  name_prefix = "${local.role_name}-ClusterEncryption"
  tags        = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Action   = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
      Effect   = "Allow"
      Resource = local.own_key ? module.kms.key_arn : local.secrets[0].provider_key_arn
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster_encryption" {
  count = length(aws_iam_policy.cluster_encryption)

  role       = aws_iam_role.this[0].name
  policy_arn = aws_iam_policy.cluster_encryption[0].arn
}

module "eks_managed_node_group" {
  source   = "terraform-aws-modules/eks/aws//modules/eks-managed-node-group"
  for_each = { for k, v in coalesce(var.eks_managed_node_groups, {}) : k => v if local.create && local.v18 }

  create                          = try(each.value.create, true)
  cluster_name                    = local.name
  name                            = try(each.value.name, each.key)
  subnet_ids                      = try(each.value.subnet_ids, var.eks_managed_node_group_defaults.subnet_ids, var.subnet_ids)
  instance_types                  = try(each.value.instance_types, var.eks_managed_node_group_defaults.instance_types, null)
  remote_access                   = try(each.value.remote_access, var.eks_managed_node_group_defaults.remote_access, {})
  use_custom_launch_template      = try(each.value.use_custom_launch_template, var.eks_managed_node_group_defaults.use_custom_launch_template, true)
  create_launch_template          = try(each.value.create_launch_template, var.eks_managed_node_group_defaults.create_launch_template, true)
  block_device_mappings           = try(each.value.block_device_mappings, var.eks_managed_node_group_defaults.block_device_mappings, {})
  network_interfaces              = try(each.value.network_interfaces, var.eks_managed_node_group_defaults.network_interfaces, [])
  metadata_options                = try(each.value.metadata_options, var.eks_managed_node_group_defaults.metadata_options, null)
  vpc_security_group_ids          = compact(concat([local.node_sg_id], try(each.value.vpc_security_group_ids, var.eks_managed_node_group_defaults.vpc_security_group_ids, [])))
  create_iam_role                 = try(each.value.create_iam_role, var.eks_managed_node_group_defaults.create_iam_role, true)
  iam_role_arn                    = try(each.value.iam_role_arn, var.eks_managed_node_group_defaults.iam_role_arn, null)
  iam_role_name                   = try(each.value.iam_role_name, var.eks_managed_node_group_defaults.iam_role_name, null)
  iam_role_attach_cni_policy      = try(each.value.iam_role_attach_cni_policy, var.eks_managed_node_group_defaults.iam_role_attach_cni_policy, true)
  iam_role_additional_policies    = try(each.value.iam_role_additional_policies, var.eks_managed_node_group_defaults.iam_role_additional_policies, {})
  launch_template_use_name_prefix = try(each.value.launch_template_use_name_prefix, true)
  tags                            = merge(var.tags, try(each.value.tags, {}))
}

module "self_managed_node_group" {
  source   = "terraform-aws-modules/eks/aws//modules/self-managed-node-group"
  for_each = { for k, v in coalesce(var.self_managed_node_groups, {}) : k => v if local.create && local.v18 }

  create                       = try(each.value.create, true)
  cluster_name                 = local.name
  name                         = try(each.value.name, each.key)
  vpc_security_group_ids       = compact(concat([local.node_sg_id], try(each.value.vpc_security_group_ids, var.self_managed_node_group_defaults.vpc_security_group_ids, [])))
  tags                         = merge(var.tags, try(each.value.tags, {}))
  subnet_ids                   = try(each.value.subnet_ids, var.self_managed_node_group_defaults.subnet_ids, var.subnet_ids)
  create_autoscaling_group     = try(each.value.create_autoscaling_group, var.self_managed_node_group_defaults.create_autoscaling_group, true)
  min_size                     = try(each.value.min_size, var.self_managed_node_group_defaults.min_size, 0)
  max_size                     = try(each.value.max_size, var.self_managed_node_group_defaults.max_size, 3)
  health_check_type            = try(each.value.health_check_type, var.self_managed_node_group_defaults.health_check_type, null)
  capacity_rebalance           = try(each.value.capacity_rebalance, var.self_managed_node_group_defaults.capacity_rebalance, null)
  target_group_arns            = try(each.value.target_group_arns, var.self_managed_node_group_defaults.target_group_arns, [])
  create_launch_template       = try(each.value.create_launch_template, var.self_managed_node_group_defaults.create_launch_template, true)
  launch_template_id           = try(each.value.launch_template_id, var.self_managed_node_group_defaults.launch_template_id, "")
  block_device_mappings        = try(each.value.block_device_mappings, var.self_managed_node_group_defaults.block_device_mappings, {})
  network_interfaces           = try(each.value.network_interfaces, var.self_managed_node_group_defaults.network_interfaces, [])
  metadata_options             = try(each.value.metadata_options, var.self_managed_node_group_defaults.metadata_options, null)
  create_iam_instance_profile  = try(each.value.create_iam_instance_profile, var.self_managed_node_group_defaults.create_iam_instance_profile, true)
  iam_role_name                = try(each.value.iam_role_name, var.self_managed_node_group_defaults.iam_role_name, null)
  iam_role_attach_cni_policy   = try(each.value.iam_role_attach_cni_policy, var.self_managed_node_group_defaults.iam_role_attach_cni_policy, true)
  iam_role_additional_policies = try(each.value.iam_role_additional_policies, var.self_managed_node_group_defaults.iam_role_additional_policies, {})
}

module "fargate_profile" {
  source   = "terraform-aws-modules/eks/aws//modules/fargate-profile"
  for_each = { for k, v in coalesce(var.fargate_profiles, {}) : k => v if local.create && local.v18 }

  create                        = try(each.value.create, true)
  name                          = try(each.value.name, each.key)
  tags                          = merge(var.tags, try(each.value.tags, {}))
  create_iam_role               = try(each.value.create_iam_role, var.fargate_profile_defaults.create_iam_role, true)
  iam_role_name                 = try(each.value.iam_role_name, var.fargate_profile_defaults.iam_role_name, null)
  iam_role_path                 = try(each.value.iam_role_path, var.fargate_profile_defaults.iam_role_path, null)
  iam_role_permissions_boundary = try(each.value.iam_role_permissions_boundary, var.fargate_profile_defaults.iam_role_permissions_boundary, null)
  iam_role_attach_cni_policy    = try(each.value.iam_role_attach_cni_policy, var.fargate_profile_defaults.iam_role_attach_cni_policy, true)
  iam_role_additional_policies  = try(each.value.iam_role_additional_policies, var.fargate_profile_defaults.iam_role_additional_policies, {})
}

output "cluster_name" { value = local.name }
output "cluster_id" { value = local.v19 ? null : local.name }
output "cluster_arn" { value = try(aws_eks_cluster.this[0].arn, null) }
output "cluster_endpoint" { value = try(aws_eks_cluster.this[0].endpoint, null) }
output "cluster_security_group_id" { value = local.sg_id }
output "node_security_group_id" { value = local.node_sg_id }
output "oidc_provider_arn" { value = try(aws_iam_openid_connect_provider.oidc_provider[0].arn, null) }
output "cluster_iam_role_arn" { value = try(aws_iam_role.this[0].arn, null) }
