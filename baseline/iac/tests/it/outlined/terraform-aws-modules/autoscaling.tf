module "readme" {
  source              = "terraform-aws-modules/autoscaling/aws"
  version             = "~> 6.0"
  name                = "example-asg"
  min_size            = 0
  max_size            = 1
  vpc_zone_identifier = ["subnet-1235678", "subnet-87654321"]
  health_check_type   = "EC2"
  image_id            = "ami-ebd02392"
  instance_type       = "t3.micro"
  ebs_optimized       = true
  security_groups     = ["sg-12345678"]

  create_iam_instance_profile = true
  iam_role_name               = "example-asg"
  iam_role_policies           = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
  block_device_mappings       = [{ device_name = "/dev/xvda", ebs = { encrypted = true, volume_size = 20, volume_type = "gp2" } }]
  metadata_options            = { http_endpoint = "enabled", http_tokens = "required", http_put_response_hop_limit = 32 }
  network_interfaces          = [{ device_index = 0, security_groups = ["sg-12345678"] }]
}

module "three" {
  source            = "terraform-aws-modules/autoscaling/aws"
  version           = "~> 3.0"
  name              = "three"
  image_id          = "ami-1"
  instance_type     = "t2.micro"
  security_groups   = ["sg-1"]
  root_block_device = [{ volume_size = "50", volume_type = "gp2" }]
  ebs_block_device  = [{ device_name = "/dev/xvdz", volume_type = "gp2" }]
  metadata_options  = { http_tokens = "required" }
  tags              = [{ key = "Environment", value = "dev", propagate_at_launch = true }]
}

module "mixed" {
  source                          = "terraform-aws-modules/autoscaling/aws"
  name                            = "mixed"
  ignore_desired_capacity_changes = true
  use_mixed_instances_policy      = true
  mixed_instances_policy          = { override = [{ instance_type = "t3.nano" }] }
}

module "not_known" {
  source           = "terraform-aws-modules/autoscaling/aws"
  version          = "~> 8.0"
  name             = var.name
  metadata_options = var.metadata
}

variable "metadata" {}
variable "name" {}
