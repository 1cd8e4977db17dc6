variable "name" {}
variable "counts" { type = list(number) }
module "b" {
  source = "./b"
  count  = length(var.counts)
  size   = var.counts[count.index]
  name   = "${var.name}${count.index}"
}
output "names" { value = flatten(module.b[*].names) }
output "by_count" { value = { for i, b in module.b : i => b.names } }
