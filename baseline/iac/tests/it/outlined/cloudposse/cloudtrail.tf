module "readme" {
  source                        = "cloudposse/cloudtrail/aws"
  version                       = "0.24.0"
  namespace                     = "eg"
  stage                         = "dev"
  name                          = "cluster"
  enable_log_file_validation    = true
  include_global_service_events = true
  is_multi_region_trail         = false
  enable_logging                = true
  s3_bucket_name                = "logs"
  insight_selector              = [{ insight_type = "ApiCallRateInsight" }]
  event_selector                = [{ read_write_type = "All", include_management_events = true, data_resource = [{ type = "AWS::S3::Object", values = ["arn:aws:s3"] }] }]
}

module "old" {
  source         = "cloudposse/cloudtrail/aws"
  version        = "0.5.0"
  namespace      = "eg"
  name           = "old"
  s3_bucket_name = "logs"
}
