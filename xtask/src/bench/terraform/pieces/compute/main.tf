variable "name" {}
variable "tags" {}
variable "index" {
  validation {
    condition     = var.index >= 0
    error_message = "The index must not be negative."
  }
}
variable "wide" {
  type    = bool
  default = false
}
variable "rules" { default = {} }
variable "disks" {
  type = list(object({
    size      = optional(number, 8)
    type      = optional(string, "gp2")
    encrypted = optional(bool, true)
    device    = string
  }))
  default = [{ device = "/dev/sdb" }, { device = "/dev/sdc", size = "100", type = "io1", encrypted = false }]
}
locals {
  settings = yamldecode(file("${path.module}/settings.yaml"))
  size     = local.settings.sizes[var.wide == true ? "wide" : "narrow"]
  count    = min(var.index + 1, 3)
}
resource "aws_instance" "this" {
  count                       = local.count
  ami                         = local.settings.images["eu"]
  instance_type               = local.size.type
  associate_public_ip_address = count.index == 0
  monitoring                  = var.wide
  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = var.wide == true ? "required" : "optional"
  }
  root_block_device {
    volume_size = local.size.disk
    encrypted   = !contains(["dev"], lookup(var.tags, "env", "dev"))
  }
  dynamic "ebs_block_device" {
    for_each = { for d in var.disks : d.device => d if d.size > 8 || count.index == 0 }
    content {
      device_name = ebs_block_device.key
      volume_size = ebs_block_device.value.size
      volume_type = ebs_block_device.value.type
      encrypted   = ebs_block_device.value.encrypted
      iops        = ebs_block_device.value.type == "io1" ? 50 * ebs_block_device.value.size : null
    }
  }
  tags = merge(var.tags, local.settings.tags, { Name = "${var.name}-${count.index}" })
}
resource "aws_cloudwatch_metric_alarm" "cpu" {
  count               = local.count * 2
  alarm_name          = "${var.name}-${floor(count.index / 2)}-${count.index % 2 == 0 ? "high" : "low"}"
  comparison_operator = count.index % 2 == 0 ? "GreaterThanThreshold" : "LessThanThreshold"
  evaluation_periods  = 2
  metric_name         = "CPUUtilization"
  namespace           = "AWS/EC2"
  period              = "60"
  statistic           = "Average"
  threshold           = count.index % 2 == 0 ? 80.5 : 100 / 8
  dimensions = {
    InstanceId = aws_instance.this[floor(count.index / 2)].id
    Type       = aws_instance.this[0].instance_type
  }
}
resource "aws_launch_template" "this" {
  name          = "${var.name}-lt"
  image_id      = local.settings.images.eu
  instance_type = one(distinct(aws_instance.this[*].instance_type))
  user_data     = base64encode(templatefile("${path.module}/start.sh", { name = var.name, packages = local.settings.packages }))
  dynamic "block_device_mappings" {
    for_each = var.disks
    content {
      device_name = block_device_mappings.value.device
      ebs {
        volume_size = block_device_mappings.value.size
        encrypted   = block_device_mappings.value.encrypted
      }
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { for k, v in var.tags : k => upper(v) }
  }
}
resource "aws_db_instance" "this" {
  count                = local.size.database != null ? 1 : 0
  identifier           = "${var.name}-db"
  engine               = local.size.database.engine
  instance_class       = try(local.size.database.class, "db.t3.micro")
  allocated_storage    = local.size.database.storage
  username             = "root"
  password             = sensitive("secret-${var.name}")
  skip_final_snapshot  = true
  storage_encrypted    = true
  backup_retention_period = lookup(local.size.database, "backups", null)
}
output "names" { value = [for i in aws_instance.this : i.tags["Name"]] }
