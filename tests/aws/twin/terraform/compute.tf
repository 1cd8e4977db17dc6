# The same as compute.yaml, in Terraform.
resource "aws_vpc" "grid" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "grid_a" {
  vpc_id            = aws_vpc.grid.id
  cidr_block        = "10.30.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_subnet" "grid_b" {
  vpc_id            = aws_vpc.grid.id
  cidr_block        = "10.30.2.0/24"
  availability_zone = "us-east-1b"
}

resource "aws_security_group" "fence_good" {
  name        = "nw-twin-fence-good"
  description = "the office"
  vpc_id      = aws_vpc.grid.id
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["203.0.113.0/24"]
    description = "office"
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
    description = "all"
  }
}

resource "aws_security_group" "fence_bad" {
  name        = "nw-twin-fence-bad"
  description = "everyone"
  vpc_id      = aws_vpc.grid.id
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["0.0.0.0/0"]
    description = "all"
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
    description = "all"
  }
}

resource "aws_launch_template" "template_good" {
  name     = "nw-twin-template-good"
  image_id = "ami-12c6146b"
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted   = true
      volume_size = 8
    }
  }
  network_interfaces {
    device_index                = 0
    associate_public_ip_address = false
  }
}

resource "aws_launch_template" "template_bad" {
  name     = "nw-twin-template-bad"
  image_id = "ami-12c6146b"
  metadata_options {
    http_tokens                 = "optional"
    http_put_response_hop_limit = 3
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted   = false
      volume_size = 8
    }
  }
  network_interfaces {
    device_index                = 0
    associate_public_ip_address = true
  }
}

resource "aws_launch_configuration" "launch_good" {
  name                        = "nw-twin-launch-good"
  image_id                    = "ami-12c6146b"
  instance_type               = "t3.micro"
  associate_public_ip_address = false
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  ebs_block_device {
    device_name = "/dev/xvda"
    encrypted   = true
    volume_size = 8
  }
}

resource "aws_launch_configuration" "launch_bad" {
  name                        = "nw-twin-launch-bad"
  image_id                    = "ami-12c6146b"
  instance_type               = "t3.micro"
  associate_public_ip_address = true
  ebs_block_device {
    device_name = "/dev/xvda"
    encrypted   = false
    volume_size = 8
  }
}

resource "aws_autoscaling_group" "fleet_good" {
  name                      = "nw-twin-fleet-good"
  min_size                  = 0
  max_size                  = 2
  availability_zones        = ["us-east-1a", "us-east-1b"]
  health_check_type         = "ELB"
  health_check_grace_period = 60
  target_group_arns         = [aws_lb_target_group.targets_good.arn]
  capacity_rebalance        = true
  mixed_instances_policy {
    launch_template {
      launch_template_specification {
        launch_template_name = "nw-twin-template-good"
        version              = "1"
      }
      override {
        instance_type = "t3.micro"
      }
      override {
        instance_type = "t3a.micro"
      }
    }
  }
}

resource "aws_autoscaling_group" "fleet_bad" {
  name                 = "nw-twin-fleet-bad"
  min_size             = 0
  max_size             = 2
  availability_zones   = ["us-east-1a"]
  launch_configuration = aws_launch_configuration.launch_bad.name
  target_group_arns    = [aws_lb_target_group.targets_bad.arn]
}

resource "aws_batch_job_definition" "job_good" {
  name                 = "nw-twin-job-good"
  type                 = "container"
  container_properties = jsonencode({ image = "busybox", vcpus = 1, memory = 512, privileged = false })
}

resource "aws_batch_job_definition" "job_bad" {
  name                 = "nw-twin-job-bad"
  type                 = "container"
  container_properties = jsonencode({ image = "busybox", vcpus = 1, memory = 512, privileged = true })
}

resource "aws_ecs_cluster" "yard_good" {
  name = "nw-twin-yard-good"
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
  configuration {
    execute_command_configuration {
      logging    = "OVERRIDE"
      kms_key_id = local.key
      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = "/exec"
      }
    }
  }
}

resource "aws_ecs_cluster" "yard_bad" {
  name = "nw-twin-yard-bad"
  configuration {
    execute_command_configuration {
      logging = "NONE"
    }
  }
}

resource "aws_ecs_task_definition" "task_good" {
  family             = "nw-twin-task-good"
  network_mode       = "awsvpc"
  task_role_arn      = "arn:aws:iam::123456789012:role/nw-twin-task"
  execution_role_arn = "arn:aws:iam::123456789012:role/nw-twin-start"
  container_definitions = jsonencode([{
    name                   = "app"
    image                  = "busybox"
    memory                 = 128
    readonlyRootFilesystem = true
    privileged             = false
    user                   = "1000"
    logConfiguration       = { logDriver = "awslogs", options = { awslogs-group = "app", mode = "non-blocking" } }
  }])
  volume {
    name = "data"
    efs_volume_configuration {
      file_system_id     = "fs-0123456789abcdef0"
      transit_encryption = "ENABLED"
    }
  }
}

resource "aws_ecs_task_definition" "task_bad" {
  family       = "nw-twin-task-bad"
  network_mode = "host"
  pid_mode     = "host"
  container_definitions = jsonencode([{
    name                   = "app"
    image                  = "busybox"
    memory                 = 128
    readonlyRootFilesystem = false
    privileged             = true
    environment            = [{ name = "AWS_SECRET_ACCESS_KEY", value = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEZ" }]
  }])
  volume {
    name = "data"
    efs_volume_configuration {
      file_system_id     = "fs-0123456789abcdef0"
      transit_encryption = "DISABLED"
    }
  }
}

resource "aws_ecs_service" "service_good" {
  name             = "nw-twin-service-good"
  cluster          = aws_ecs_cluster.yard_good.id
  task_definition  = aws_ecs_task_definition.task_good.arn
  desired_count    = 0
  launch_type      = "FARGATE"
  platform_version = "LATEST"
  network_configuration {
    subnets          = [aws_subnet.grid_a.id]
    security_groups  = [aws_security_group.fence_good.id]
    assign_public_ip = false
  }
}

resource "aws_ecs_service" "service_bad" {
  name             = "nw-twin-service-bad"
  cluster          = aws_ecs_cluster.yard_good.id
  task_definition  = aws_ecs_task_definition.task_good.arn
  desired_count    = 0
  launch_type      = "FARGATE"
  platform_version = "1.3.0"
  network_configuration {
    subnets          = [aws_subnet.grid_a.id]
    security_groups  = [aws_security_group.fence_good.id]
    assign_public_ip = true
  }
}

resource "aws_eks_cluster" "helm_good" {
  name                      = "nw-twin-helm-good"
  version                   = "1.33"
  role_arn                  = local.role
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  vpc_config {
    subnet_ids              = [aws_subnet.grid_a.id, aws_subnet.grid_b.id]
    security_group_ids      = [aws_security_group.fence_good.id]
    endpoint_public_access  = false
    endpoint_private_access = true
  }
  encryption_config {
    provider {
      key_arn = local.key
    }
    resources = ["secrets"]
  }
}

resource "aws_eks_cluster" "helm_bad" {
  name     = "nw-twin-helm-bad"
  version  = "1.27"
  role_arn = local.role
  vpc_config {
    subnet_ids = [aws_subnet.grid_a.id, aws_subnet.grid_b.id]
  }
}

resource "aws_eks_node_group" "nodes_good" {
  cluster_name    = aws_eks_cluster.helm_good.name
  node_group_name = "nw-twin-nodes-good"
  node_role_arn   = local.role
  subnet_ids      = [aws_subnet.grid_a.id]
  remote_access {
    ec2_ssh_key               = "ops"
    source_security_group_ids = [aws_security_group.fence_good.id]
  }
}

resource "aws_eks_node_group" "nodes_bad" {
  cluster_name    = aws_eks_cluster.helm_good.name
  node_group_name = "nw-twin-nodes-bad"
  node_role_arn   = local.role
  subnet_ids      = [aws_subnet.grid_a.id]
  remote_access {
    ec2_ssh_key = "ops"
  }
}

resource "aws_emr_cluster" "spark_good" {
  name                   = "nw-twin-spark-good"
  release_label          = "emr-7.5.0"
  service_role           = "EMR_DefaultRole"
  security_configuration = "sealed"
  kerberos_attributes {
    realm              = "EC2.INTERNAL"
    kdc_admin_password = "not-a-secret"
  }
}

resource "aws_emr_cluster" "spark_bad" {
  name          = "nw-twin-spark-bad"
  release_label = "emr-7.5.0"
  service_role  = "EMR_DefaultRole"
}

resource "aws_lb" "front_good" {
  name                       = "nw-twin-front-good"
  internal                   = true
  subnets                    = [aws_subnet.grid_a.id, aws_subnet.grid_b.id]
  security_groups            = [aws_security_group.fence_good.id]
  enable_deletion_protection = true
  drop_invalid_header_fields = true
  access_logs {
    enabled = true
    bucket  = "nw-twin-good"
  }
}

resource "aws_lb" "front_bad" {
  name            = "nw-twin-front-bad"
  internal        = false
  subnets         = [aws_subnet.grid_a.id, aws_subnet.grid_b.id]
  security_groups = [aws_security_group.fence_good.id]
}

resource "aws_lb_target_group" "targets_good" {
  name     = "nw-twin-targets-good"
  protocol = "HTTPS"
  port     = 443
  vpc_id   = aws_vpc.grid.id
  health_check {
    path     = "/healthy"
    protocol = "HTTPS"
  }
}

resource "aws_lb_target_group" "targets_bad" {
  name     = "nw-twin-targets-bad"
  protocol = "HTTP"
  port     = 80
  vpc_id   = aws_vpc.grid.id
}

resource "aws_acm_certificate" "seal_good" {
  domain_name       = "shop.nw-twin-good.example.com"
  validation_method = "DNS"
  options {
    certificate_transparency_logging_preference = "ENABLED"
  }
}

resource "aws_acm_certificate" "seal_bad" {
  domain_name       = "*.nw-twin-bad.example.com"
  validation_method = "DNS"
  options {
    certificate_transparency_logging_preference = "DISABLED"
  }
}

resource "aws_lb_listener" "ear_good" {
  load_balancer_arn = aws_lb.front_good.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.seal_good.arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.targets_good.arn
  }
}

resource "aws_lb_listener" "ear_bad" {
  load_balancer_arn = aws_lb.front_bad.arn
  protocol          = "HTTP"
  port              = 80
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.targets_bad.arn
  }
}

resource "aws_elb" "classic_bad" {
  name               = "nw-twin-classic-bad"
  availability_zones = ["us-east-1a"]
  # What the provider sets and EC2 does not: Terraform says what it was in the account.
  cross_zone_load_balancing = false
  listener {
    lb_protocol       = "http"
    lb_port           = 80
    instance_protocol = "http"
    instance_port     = 80
  }
}

resource "aws_ec2_transit_gateway" "transit_good" {
  auto_accept_shared_attachments = "disable"
}

resource "aws_ec2_transit_gateway" "transit_bad" {
  auto_accept_shared_attachments = "enable"
}

resource "aws_vpc_endpoint" "endpoint_bad" {
  vpc_id            = aws_vpc.grid.id
  service_name      = "com.amazonaws.us-east-1.dynamodb"
  vpc_endpoint_type = "Gateway"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:*", Resource = "*" }]
  })
}

resource "aws_ebs_volume" "volume_good" {
  availability_zone = "us-east-1a"
  size              = 8
  encrypted         = true
  kms_key_id        = local.key
}

resource "aws_ebs_volume" "volume_bad" {
  availability_zone = "us-east-1a"
  size              = 8
  encrypted         = false
}

resource "aws_eip" "address_bad" {
  domain = "vpc"
}

resource "aws_lambda_function" "function_good" {
  function_name = "nw-twin-function-good"
  runtime       = "python3.13"
  role          = aws_iam_role.role.arn
  handler       = "index.handler"
  filename      = "code.zip"
  kms_key_arn   = local.key
  tracing_config {
    mode = "Active"
  }
}

resource "aws_lambda_function" "function_bad" {
  function_name = "nw-twin-function-bad"
  runtime       = "python3.7"
  role          = aws_iam_role.role.arn
  handler       = "index.handler"
  filename      = "code.zip"
  environment {
    variables = { AWS_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEZ" }
  }
}
