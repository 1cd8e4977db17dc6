variable "size" {}
variable "name" {}
module "c" {
  source = "./c"
  for_each = toset([for i in range(var.size) : "${var.name}-${i}"])
  name   = each.value
  options = each.key == "x0-0" ? { fifo = true } : {}
}
resource "aws_sqs_queue" "b" {
  count = var.size > 2 ? 0 : 1
  name  = "b-${var.name}"
}
output "names" { value = concat([for c in module.c : c.name], aws_sqs_queue.b[*].name) }
