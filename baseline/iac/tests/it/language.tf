locals {
  name = "n"
  yes  = true
  list = ["a", "b"]
  plain = <<EOT
hello ${local.name}
  indented
EOT
  flush = <<-EOT
    one
      two ${local.name}

    three
  EOT
  flush_interp = <<-EOT
    ${local.name} first
      second
  EOT
  directives = <<-EOT
    %{ for x in local.list }
    item ${x}
    %{ endfor }
    end
  EOT
  trimmed = <<-EOT
    %{~ for x in local.list ~}
    item ${x}
    %{~ endfor ~}
    end
  EOT
  trimmed2 = <<-EOT
    %{ for x in local.list ~}
    item ${x}
    %{ endfor ~}
    %{ if local.yes ~}
    yes
    %{ else ~}
    no
    %{ endif ~}
    end
  EOT
  escapes = <<EOT
a\nb $${x} %%{y} "q" \"
EOT
  tabs = <<-EOT
	a
	  b
  EOT
  blankline = <<-EOT
      a

      b
  EOT
  inline = "x${"y${"z"}"}"
  strip  = "a ${~ local.name ~} b"
  obj = {
    a = 1, b = 2
    "c" = 3
    (local.name) : 4
    for = 5
  }
  forobj = { for k, v in { a = 1 } :
    k => v ==
    1
  }
  multiline = (
    local.yes
    ? "a"
    : "b"
  )
  legacy = local.list.0
  chain = [for o in [{ a = [{ b = 1 }] }] : o.a[0].b]
  call = max(
    1,
    2,
  )
  spread = max([1, 5, 3]...)
  neg = -local.num
  num = 3
  op = 1 + 2 * 3 - 4 / 2 % 3
  cmp = 1 < 2 == true
  comment = 1 # x
  block = /* c */ 2 // y
  nested = { a = { b = { c = [1, 2, { d = "e" }] } } }
  idx = { "k-1" = "v" }["k-1"]
  dash-ed = "d"
  usedash = local.dash-ed
  quoted_nl = "a\nb"
  cond_types = local.yes ? ["a"] : []
  splat_obj = { a = 1 }[*].a
  eot_paren = join(",", [<<A
x
A
  , "y"])
  empty = <<EOT
EOT
  crlf = 1
}
output "all" {
  value = {
    plain = local.plain, flush = local.flush, flush_interp = local.flush_interp, directives = local.directives
    trimmed = local.trimmed, trimmed2 = local.trimmed2, escapes = local.escapes, tabs = local.tabs, blankline = local.blankline
    inline = local.inline, strip = local.strip, obj = local.obj, forobj = local.forobj, multiline = local.multiline
    legacy = local.legacy, chain = local.chain, call = local.call, spread = local.spread, neg = local.neg, op = local.op
    cmp = local.cmp, comment = local.comment, block = local.block, nested = local.nested, idx = local.idx
    usedash = local.usedash, quoted_nl = local.quoted_nl, cond_types = local.cond_types, splat_obj = local.splat_obj
    eot_paren = local.eot_paren, empty = local.empty
  }
}
