variable "name" {}
variable "size" {}
resource "aws_sqs_queue" "q" {
  count = var.size
  name  = "${var.name}-${count.index}"
}
