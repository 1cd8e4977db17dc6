variable "base" {
  type    = map(string)
  default = {}
}
variable "more" { default = null }
output "all" {
  value = merge(var.base, var.more == null ? {} : { for k, v in var.more : "x-${k}" => v }, { made = "by code" })
}
