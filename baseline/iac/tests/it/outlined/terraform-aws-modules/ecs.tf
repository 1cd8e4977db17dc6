module "cluster" {
  source       = "terraform-aws-modules/ecs/aws//modules/cluster"
  version      = "~> 5.0"
  cluster_name = "ecs-fargate"
  cluster_configuration = {
    execute_command_configuration = {
      logging           = "OVERRIDE"
      log_configuration = { cloud_watch_log_group_name = "/aws/ecs/aws-ec2" }
    }
  }
}

module "off" {
  source                      = "terraform-aws-modules/ecs/aws//modules/cluster"
  name                        = "off"
  create_cloudwatch_log_group = false
  setting                     = [{ name = "containerInsights", value = "disabled" }]
}
