terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 3.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
  # without an account
  default_tags {
    tags = { estate = "main", cost = "1" }
  }
}

provider "aws" {
  alias  = "north"
  region = var.north
  # without an account
  default_tags {
    tags = merge({ estate = "north" }, var.more)
  }
}
