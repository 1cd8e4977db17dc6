module "plain" {
  source = "terraform-aws-modules/ec2-instance/aws"
  name   = "plain"
}

module "two" {
  source         = "terraform-aws-modules/ec2-instance/aws"
  version        = "~> 2.0"
  instance_count = 2
  name           = "two"
  ami            = "ami-1"
}

module "five" {
  source                      = "terraform-aws-modules/ec2-instance/aws"
  version                     = "~> 5.0"
  name                        = "five"
  ami                         = "ami-1"
  ignore_ami_changes          = true
  associate_public_ip_address = true
  monitoring                  = true
  vpc_security_group_ids      = ["sg-1"]
  user_data                   = "#!/bin/sh"
  create_eip                  = true
  metadata_options            = { http_endpoint = "enabled" }
  root_block_device           = [{ encrypted = true, volume_type = "gp3", volume_size = 50 }]
  ebs_block_device            = [{ device_name = "/dev/sdf", encrypted = false }]
  network_interface           = [{ device_index = 0, network_interface_id = var.interface }]
  create_iam_instance_profile = true
  iam_role_name               = "five"
  iam_role_policies           = { ssm = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" }
}

module "six" {
  source                       = "terraform-aws-modules/ec2-instance/aws"
  version                      = "6.0.2"
  name                         = "six"
  subnet_id                    = "subnet-1"
  root_block_device            = { encrypted = true, size = 50 }
  ebs_volumes                  = { "/dev/sdf" = { size = 5, encrypted = true } }
  security_group_ingress_rules = { ssh = { from_port = 22, cidr_ipv4 = "0.0.0.0/0" } }
}

module "spot" {
  source               = "terraform-aws-modules/ec2-instance/aws"
  create_spot_instance = true
}

module "not_known" {
  source            = "terraform-aws-modules/ec2-instance/aws"
  root_block_device = var.root
  metadata_options  = var.metadata
  ebs_volumes       = var.volumes
}

variable "interface" {}
variable "metadata" {}
variable "root" {}
variable "volumes" {}
