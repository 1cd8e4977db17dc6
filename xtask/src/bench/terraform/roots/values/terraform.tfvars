a = "tfvars"
b = "tfvars"
c = "tfvars"
f = "hidden"
e = { text = 5, list = ["7"], inner = { names = ["z", "y", "z"] }, many = { p = { n = "1" }, q = { n = 2, note = null, extra = 1 } } }
