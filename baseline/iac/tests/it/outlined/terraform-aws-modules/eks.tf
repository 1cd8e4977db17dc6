module "readme" {
  source                         = "terraform-aws-modules/eks/aws"
  version                        = "~> 20.0"
  cluster_name                   = "my-cluster"
  cluster_version                = "1.31"
  cluster_endpoint_public_access = true
  vpc_id                         = "vpc-1234556abcdef"
  subnet_ids                     = ["subnet-abcde012", "subnet-bcde012a"]
  iam_role_additional_policies   = { read = "arn:aws:iam::aws:policy/ReadOnlyAccess" }
  eks_managed_node_groups = {
    example = {
      instance_types               = ["m5.xlarge"]
      min_size                     = 2
      block_device_mappings        = { xvda = { device_name = "/dev/xvda", ebs = { volume_size = 75, encrypted = true } } }
      remote_access                = { ec2_ssh_key = "key", source_security_group_ids = ["sg-1"] }
      iam_role_additional_policies = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
    }
  }
}

module "old" {
  source       = "terraform-aws-modules/eks/aws"
  version      = "17.24.0"
  cluster_name = "old"
  subnets      = ["subnet-1"]
  vpc_id       = "vpc-1"

  cluster_enabled_log_types = ["api"]
  cluster_encryption_config = [{ provider_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k", resources = ["secrets"] }]
}

module "newest" {
  source                 = "terraform-aws-modules/eks/aws"
  name                   = "newest"
  kubernetes_version     = "1.33"
  endpoint_public_access = true
  subnet_ids             = ["subnet-1"]
}

module "eighteen" {
  source       = "terraform-aws-modules/eks/aws"
  version      = "~> 18.0"
  cluster_name = "eighteen"
}

module "replica" {
  source         = "terraform-aws-modules/kms/aws"
  create_replica = true
}

module "group" {
  source                          = "terraform-aws-modules/eks/aws//modules/eks-managed-node-group"
  version                         = "~> 19.0"
  name                            = "group"
  cluster_name                    = "c"
  network_interfaces              = [{ associate_public_ip_address = true }]
  launch_template_use_name_prefix = false
}

module "self" {
  source                   = "terraform-aws-modules/eks/aws"
  version                  = "~> 20.0"
  cluster_name             = "self"
  self_managed_node_groups = { one = { instance_type = "m5.large", metadata_options = { http_tokens = "optional" } } }
  fargate_profiles         = { default = { selectors = [{ namespace = "default" }] } }
}

module "own" {
  source                       = "terraform-aws-modules/eks/aws//modules/self-managed-node-group"
  version                      = "~> 20.0"
  name                         = "own"
  cluster_name                 = "c"
  iam_role_additional_policies = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
}

module "profile" {
  source                       = "terraform-aws-modules/eks/aws//modules/fargate-profile"
  name                         = "profile"
  iam_role_additional_policies = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
}

module "not_known" {
  source       = "terraform-aws-modules/eks/aws"
  cluster_name = var.name
  version      = "~> 19.0"

  cluster_endpoint_public_access = var.public
  cluster_encryption_config      = var.encryption
  eks_managed_node_groups        = var.groups
}

variable "encryption" {}
variable "groups" {}
variable "name" {}
variable "public" {}
