# The same as storage.yaml, in Terraform.
resource "aws_s3_bucket" "good" {
  bucket = "nw-twin-good"
}

resource "aws_s3_bucket_versioning" "good" {
  bucket = aws_s3_bucket.good.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "good" {
  bucket                  = aws_s3_bucket.good.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "good" {
  bucket = aws_s3_bucket.good.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket" "bad" {
  bucket = "nw-twin-bad"
}

resource "aws_s3_bucket_ownership_controls" "bad" {
  bucket = aws_s3_bucket.bad.id
  rule {
    object_ownership = "ObjectWriter"
  }
}

resource "aws_s3_bucket_policy" "bad" {
  bucket = aws_s3_bucket.bad.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "arn:aws:s3:::nw-twin-bad/*" }]
  })
}

resource "aws_sqs_queue" "queue_good" {
  name                    = "nw-twin-queue-good"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue" "queue_bad" {
  name                    = "nw-twin-queue-bad"
  sqs_managed_sse_enabled = false
}

resource "aws_dynamodb_table" "table_good" {
  name                        = "nw-twin-table-good"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true
  attribute {
    name = "id"
    type = "S"
  }
  point_in_time_recovery {
    enabled = true
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = local.key
  }
}

resource "aws_dynamodb_table" "table_bad" {
  name         = "nw-twin-table-bad"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_ecr_repository" "images_good" {
  name                 = "nw-twin-images-good"
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_repository" "images_bad" {
  name                 = "nw-twin-images-bad"
  image_tag_mutability = "MUTABLE"
}

resource "aws_cloudwatch_log_group" "logs_good" {
  name              = "nw-twin-logs-good"
  retention_in_days = 400
}

resource "aws_cloudwatch_log_group" "logs_bad" {
  name = "nw-twin-logs-bad"
}

resource "aws_sns_topic" "topic" {
  name = "nw-twin-topic"
}

resource "aws_kinesis_stream" "stream_bad" {
  name        = "nw-twin-stream"
  shard_count = 1
}

resource "aws_iam_role" "role" {
  name = "nw-twin-role"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role" "worker" {
  name = "nw-twin-worker"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "codepipeline.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

locals {
  key    = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-4333-8444-555555555555"
  role   = "arn:aws:iam::123456789012:role/nw-twin-role"
  worker = "arn:aws:iam::123456789012:role/nw-twin-worker"
}
