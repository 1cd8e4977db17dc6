variable "value" {}
variable "object" {}
resource "aws_sqs_queue" "q" {
  name       = var.value
  fifo_queue = !var.object.a
}
