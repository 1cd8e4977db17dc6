module "readme" {
  source                     = "terraform-aws-modules/redshift/aws"
  version                    = "~> 4.0"
  cluster_identifier         = "example"
  allow_version_upgrade      = true
  node_type                  = "ra3.xlplus"
  number_of_nodes            = 3
  database_name              = "mydb"
  master_username            = "mydbuser"
  encrypted                  = true
  kms_key_arn                = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  enhanced_vpc_routing       = true
  vpc_security_group_ids     = ["sg-12345678"]
  logging                    = { enable = true, log_destination_type = "cloudwatch", log_exports = ["connectionlog"] }
  parameter_group_parameters = { require_ssl = { name = "require_ssl", value = true } }

  create_cloudwatch_log_group      = true
  create_scheduled_action_iam_role = true
}

module "six" {
  source             = "terraform-aws-modules/redshift/aws"
  cluster_identifier = "six"
  logging            = { bucket_name = "logs" }
}

module "old" {
  source             = "terraform-aws-modules/redshift/aws"
  version            = "~> 3.0"
  cluster_identifier = "old"
}
