module "a" {
  source   = "./a"
  for_each = { for n in ["x", "y"] : n => { n = n, counts = n == "x" ? [1, 2] : [3] } }
  name     = each.key
  counts   = each.value.counts
}
resource "aws_ssm_parameter" "all" {
  name  = "/all"
  type  = "StringList"
  value = join(",", flatten([for k, m in module.a : m.names]))
}
resource "aws_ssm_parameter" "first" {
  for_each = module.a
  name     = "/first/${each.key}"
  type     = "String"
  value    = each.value.by_count["0"][0]
}
