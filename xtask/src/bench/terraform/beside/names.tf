# What the expressions speak of.
variable "nothing" {
  default = null
}
variable "server" {
  type = object({
    name  = string
    port  = optional(number, 80)
    tags  = optional(map(string), { team = "none" })
    extra = optional(list(string))
    deep = optional(object({
      on   = optional(bool, true)
      size = optional(number)
    }), {})
  })
  default = { name = "web" }
}
variable "servers" {
  type = map(object({
    port  = optional(number, 443)
    cidrs = optional(set(string), ["10.0.0.0/8"])
    note  = optional(string)
  }))
  default = {
    b = { port = "8080", note = null, unknown_key = 1 }
    a = { cidrs = ["192.0.2.0/24", "192.0.2.0/24", "10.1.0.0/16"] }
  }
}
variable "numbers" {
  type    = list(number)
  default = ["1", 2, "3.5"]
}
variable "texts" {
  type    = set(string)
  default = ["b", 1, true, "a", "b"]
}
variable "pair" {
  type    = tuple([string, number, bool])
  default = [1, "2", "true"]
}
variable "anything" {
  type    = list(any)
  default = [1, "two", true]
}
variable "any_map" {
  type    = map(any)
  default = { a = 1, b = "x", c = false }
}
variable "shallow" {
  type    = object({ a = optional(object({ b = optional(string, "dflt") })), l = optional(list(object({ n = optional(number, 7) })), [{}, { n = 1 }]) })
  default = {}
}
variable "never_null" {
  type     = string
  default  = "given"
  nullable = false
}
locals {
  yes     = true
  no      = false
  null    = null
  name    = "web"
  list    = ["a", "b", "c"]
  empty   = []
  nums    = [3, 1, 2]
  set     = toset(["c", "a", "b"])
  map     = { a = 1, b = 2, c = 3 }
  object  = { name = "x", port = 80, on = true, none = null, list = [1, 2] }
  people  = [{ name = "ann", age = 30, likes = ["x", "y"] }, { name = "bob", age = 25, likes = [] }, { name = "cyd", age = 30, likes = ["z"] }]
  by_name = { for p in local.people : p.name => p }
  text    = "The quick brown fox"
  multi   = "one\ntwo\n\nthree\n"
  umlaut  = "Grüße, 世界 👩‍👩‍👧"
  matrix  = [[1, 2], [3, 4], [5]]
  mixed   = [1, "two", true, null, [3], { four = 4 }]
}
