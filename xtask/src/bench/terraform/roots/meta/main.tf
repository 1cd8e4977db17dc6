data "aws_partition" "p" {}
data "aws_region" "r" {}
locals { arn = "arn:${data.aws_partition.p.partition}:s3:::${aws_s3_bucket.b.bucket}" }
resource "aws_s3_bucket" "b" {
  bucket = "meta-${data.aws_region.r.name}"
}
resource "aws_iam_policy" "p" {
  name   = "p"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:*", Resource = [local.arn, "${local.arn}/*"] }] })
}
resource "aws_lambda_function" "f" {
  function_name = "f"
  role          = "arn:aws-us-gov:iam::111122223333:role/f"
  handler       = "index.handler"
  runtime       = "nodejs14.x"
  filename      = "f.zip"
  source_code_hash = filebase64sha256("main.tf")
  environment {
    variables = {
      BUCKET = aws_s3_bucket.b.bucket
      SUFFIX = data.aws_partition.p.dns_suffix
      N      = 3
      FLAG   = true
    }
  }
  vpc_config {
    subnet_ids         = []
    security_group_ids = []
  }
  dynamic "dead_letter_config" {
    for_each = [for x in [null] : x if x != null]
    content {
      target_arn = dead_letter_config.value
    }
  }
}
