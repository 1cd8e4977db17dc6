variable "a" { default = "default" }
variable "b" { default = "default" }
variable "c" { default = "default" }
variable "d" { default = "default" }
variable "e" {
  type = object({
    list  = optional(list(number), [1, 2])
    inner = optional(object({ on = optional(bool, true), names = optional(set(string), []) }), {})
    many  = optional(map(object({ n = number, note = optional(string, "none") })), { x = { n = 1 } })
    text  = string
  })
}
variable "f" {
  type      = string
  sensitive = true
}
variable "g" {
  type     = list(string)
  nullable = false
  default  = ["g"]
}
variable "h" {
  type    = any
  default = null
}
resource "aws_ssm_parameter" "scalars" {
  for_each = { a = var.a, b = var.b, c = var.c, d = var.d }
  name     = "/${each.key}"
  type     = "String"
  value    = each.value
}
resource "aws_ssm_parameter" "object" {
  for_each  = var.e.many
  name      = "/object/${each.key}"
  type      = "String"
  value     = "${each.value.n}:${each.value.note}:${jsonencode(var.e)}"
  overwrite = var.e.inner.on
  tier      = length(var.e.inner.names) > 0 ? "Advanced" : "Standard"
}
resource "aws_db_instance" "secret" {
  instance_class      = "db.t3.micro"
  identifier          = "secret"
  engine              = "mysql"
  username            = nonsensitive("user-${substr(var.f, 0, 1)}")
  password            = "x-${var.f}"
  allocated_storage   = length(var.g) * 10
  skip_final_snapshot = true
  publicly_accessible = var.h == null ? false : var.h.public
}
