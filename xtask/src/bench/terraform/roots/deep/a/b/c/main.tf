variable "name" { type = string }
variable "options" {
  type    = object({ fifo = optional(bool), delay = optional(number, 5) })
  default = {}
}
resource "aws_sqs_queue" "c" {
  name          = var.options.fifo == true ? "${var.name}.fifo" : var.name
  fifo_queue    = var.options.fifo
  delay_seconds = var.options.delay
}
output "name" { value = aws_sqs_queue.c.name }
