locals {
  users  = csvdecode(file("${path.module}/files/users.csv"))
  config = jsondecode(file("files/config.json"))
  names  = fileset("${path.module}/files", "*.{txt,tftpl}")
}
resource "aws_iam_user" "u" {
  for_each = { for u in local.users : u.name => u if u.active == "true" }
  name     = each.key
  path     = "/${each.value.team}/"
  tags     = { for k, v in each.value : k => v if v != "" }
}
resource "aws_s3_bucket_object" "file" {
  for_each     = local.names
  bucket       = "files"
  key          = "x/${each.value}"
  content      = endswith(each.value, ".tftpl") ? templatefile("files/${each.value}", { users = local.users, deep = { on = true } }) : file("files/${each.value}")
  etag         = filemd5("${path.module}/files/${each.value}")
  content_type = lookup({ txt = "text/plain" }, regex("[^.]+$", each.value), "application/octet-stream")
}
resource "aws_ssm_parameter" "config" {
  for_each = local.config.parameters
  name     = each.key
  type     = each.value.secure ? "SecureString" : "String"
  value    = try(each.value.value, base64encode(each.key), "")
}
