//! Terraform configuration: modules, counts, loops, references, policies, places.

use plumb_iac::terraform::{Options, read};
use plumb_iac::{Code, Data, Key, MemoryFiles, Reading, plain};
use serde_json::{Value as Json, json};

pub fn reading(files: &[(&str, &str)]) -> Reading {
    read(&MemoryFiles::new(files.iter().copied()), &Options::default())
}

fn one<'a>(reading: &'a Reading, address: &str) -> &'a Code {
    let at = reading.resources.iter().position(|r| &*r.address == address);
    assert!(at.is_some(), "no {address} in {:?}; problems: {:?}", addresses(reading), reading.problems);
    &reading.resources[at.unwrap_or_default()]
}

/// Reads one file and compares an attribute of `aws_x.y` in plain JSON.
fn check(hcl: &str, path: &str, expected: Json) {
    let reading = reading(&[("main.tf", hcl)]);
    let code = one(&reading, "aws_x.y");
    let found = code.attrs.at(path).map(plain);
    assert_eq!(found, Some(expected), "{path} of:\n{hcl}\nproblems: {:?}", reading.problems);
}

fn addresses(reading: &Reading) -> Vec<&str> {
    reading.resources.iter().map(|r| &*r.address).collect()
}

#[test]
fn the_language_gives_what_terraform_gives() {
    let hcl = format!(
        "{}\nresource \"aws_x\" \"y\" {{\n all = local.all\n}}\nlocals {{\n all = {{\n{}\n}}\n}}\n",
        include_str!("language.tf"),
        {
            let expected: Json = serde_json::from_str(include_str!("language.json")).unwrap();
            let names: Vec<String> =
                expected.as_object().unwrap().keys().map(|k| format!("  {k} = local.{k}")).collect();
            names.join("\n")
        }
    );
    let reading = reading(&[("main.tf", &hcl)]);
    assert_eq!(reading.problems, []);
    let found = one(&reading, "aws_x.y").attrs.get("all").map(plain).unwrap();
    let expected: Json = serde_json::from_str(include_str!("language.json")).unwrap();
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(found.get(key), Some(value), "{key}");
    }
}

#[test]
fn variables_locals_and_defaults() {
    check("variable \"a\" { default = \"x\" }\nresource \"aws_x\" \"y\" {\n v = \"${var.a}-b\"\n}", "v", json!("x-b"));
    check(
        "variable \"a\" {}\nresource \"aws_x\" \"y\" {\n v = \"${var.a}-b\"\n}",
        "v",
        json!({"unknown": "${var.a}-b"}),
    );
    check(
        "variable \"a\" { type = string }\nresource \"aws_x\" \"y\" {\n v = var.a == null ? true : true\n}",
        "v",
        json!(true),
    );
    check(
        "variable \"a\" {\n type = map(object({ n = optional(number, 3), t = string, o = optional(bool) }))\n default = { k = { t = 1, extra = 2 } }\n}\nresource \"aws_x\" \"y\" {\n v = var.a[\"k\"]\n}",
        "v",
        json!({"n": 3, "t": "1", "o": null}),
    );
    check(
        "variable \"a\" { type = list(string)\n default = [1, true] }\nresource \"aws_x\" \"y\" {\n v = var.a\n}",
        "v",
        json!(["1", "true"]),
    );
    check(
        "variable \"a\" { default = \"s\"\n sensitive = true }\nresource \"aws_x\" \"y\" {\n v = \"p-${var.a}\"\n}",
        "v",
        json!("(sensitive)"),
    );
}

#[test]
fn values_given_win_in_terraforms_order() {
    let files = MemoryFiles::new([
        (
            "main.tf",
            "variable \"a\" {}\nvariable \"b\" {}\nvariable \"c\" {}\nvariable \"l\" { type = list(string) }\nresource \"aws_x\" \"y\" {\n v = [var.a, var.b, var.c, var.l]\n}",
        ),
        ("terraform.tfvars", "a = \"1\"\nb = \"1\"\nc = \"1\"\nl = []\n"),
        ("z.auto.tfvars", "b = \"2\"\nc = \"2\"\n"),
        ("env/prod.tfvars", "c = \"3\"\n"),
    ]);
    let mut options = Options { var_files: vec!["env/prod.tfvars".into()], ..Options::default() };
    options.vars.push(("l".into(), "[\"x\"]".into()));
    let reading = read(&files, &options);
    assert_eq!(plain(one(&reading, "aws_x.y").attrs.get("v").unwrap()), json!(["1", "2", "3", ["x"]]));
}

#[test]
fn blocks_and_dynamic_blocks_are_lists() {
    let hcl = r#"
variable "rules" { default = [{ port = 22, cidr = "0.0.0.0/0" }, { port = 443, cidr = "10.0.0.0/8" }] }
variable "later" {}
resource "aws_x" "y" {
  ingress {
    port = 80
  }
  dynamic "ingress" {
    for_each = { for r in var.rules : r.port => r }
    iterator = rule
    content {
      port  = rule.key
      cidrs = [rule.value.cidr]
      dynamic "deep" {
        for_each = [rule.value.port]
        content {
          p = deep.value + rule.value.port
        }
      }
    }
  }
  dynamic "open" {
    for_each = var.later
    content {
      x = open.value
    }
  }
  dynamic "none" {
    for_each = []
    content {}
  }
}"#;
    check(hcl, "ingress[2].cidrs", json!(["10.0.0.0/8"]));
    check(hcl, "ingress[1].port", json!("22"));
    check(hcl, "ingress[1].deep.p", json!(44));
    check(hcl, "open", json!({"unknown": "var.later"}));
    check(hcl, "none", json!([]));
}

#[test]
fn counts_and_keys() {
    let reading = reading(&[(
        "main.tf",
        r#"
variable "n" {}
resource "aws_x" "none" { count = 0 }
resource "aws_x" "two" {
  count = 2
  name  = "n${count.index}"
}
resource "aws_x" "named" {
  for_each = toset(["b", "a"])
  name     = each.value
  peer     = aws_x.two[0].name
  all      = aws_x.two[*].name
}
resource "aws_x" "map" {
  for_each = { k = { v = 1 } }
  v        = each.value.v
}
resource "aws_x" "open" {
  count = var.n
  acl   = "public-read"
}
resource "aws_x" "uses" {
  one   = one(aws_x.none[*].id)
  tried = try(aws_x.none[0].id, "fallback")
  open  = aws_x.open[0].id
  opens = aws_x.open[*].id
  keys  = [for k, x in aws_x.named : x.name]
  vals  = values(aws_x.named)[*].name
  id    = aws_x.named["a"].id
}
"#,
    )]);
    assert_eq!(reading.problems, []);
    assert_eq!(
        addresses(&reading),
        [
            "aws_x.two[0]",
            "aws_x.two[1]",
            "aws_x.named[\"a\"]",
            "aws_x.named[\"b\"]",
            "aws_x.map[\"k\"]",
            "aws_x.open[*]",
            "aws_x.uses"
        ]
    );
    let uses = one(&reading, "aws_x.uses");
    let at = |p: &str| plain(uses.attrs.at(p).unwrap());
    assert_eq!(at("one"), json!(null));
    assert_eq!(at("tried"), json!("fallback"));
    assert_eq!(at("open"), json!({"unknown": "aws_x.open[*].id"}));
    assert_eq!(at("opens"), json!({"unknown": "aws_x.open[*].id"}));
    assert_eq!(at("keys"), json!(["a", "b"]));
    assert_eq!(at("vals"), json!(["a", "b"]));
    assert_eq!(&*uses.attrs.at("id").unwrap().edge().unwrap().address, "aws_x.named[\"a\"]");
    let named = one(&reading, "aws_x.named[\"b\"]");
    assert_eq!(named.key, Key::Name("b".into()));
    assert_eq!(plain(named.attrs.at("all").unwrap()), json!(["n0", "n1"]));
    assert_eq!(&*named.attrs.at("peer").unwrap().edge().unwrap().address, "aws_x.two[0]");
    assert_eq!(plain(one(&reading, "aws_x.map[\"k\"]").attrs.at("v").unwrap()), json!(1));
    assert_eq!(plain(one(&reading, "aws_x.open[*]").attrs.at("acl").unwrap()), json!("public-read"));
}

#[test]
fn references_keep_their_edge_when_the_value_is_known() {
    let reading = reading(&[(
        "main.tf",
        "resource \"aws_s3_bucket\" \"b\" {\n  bucket = \"logs\"\n}\nresource \"aws_x\" \"y\" {\n  id = aws_s3_bucket.b.id\n  name = aws_s3_bucket.b.bucket\n  arn = \"${aws_s3_bucket.b.arn}/*\"\n  known = aws_s3_bucket.b.arn != null\n  not = \"${aws_s3_bucket.b.arn}/*\" == \"*\"\n}\n",
    )]);
    let y = one(&reading, "aws_x.y");
    let edges = |path: &str| {
        let mut out = Vec::new();
        y.attrs.at(path).unwrap().edges(&mut |_, e, _| out.push(format!("{}.{}", e.address, e.path)));
        out
    };
    assert_eq!(edges("id"), ["aws_s3_bucket.b.id"]);
    assert_eq!(y.attrs.at("name").unwrap().as_str(), Some("logs"));
    assert_eq!(edges("name"), ["aws_s3_bucket.b.bucket"]);
    assert_eq!(edges("arn"), ["aws_s3_bucket.b.arn"]);
    assert_eq!(y.attrs.at("known").unwrap().as_bool(), Some(true));
    assert_eq!(y.attrs.at("not").unwrap().as_bool(), Some(false));
}

#[test]
fn members_of_blocks_that_the_provider_gives_are_references() {
    let reading = reading(&[(
        "main.tf",
        "resource \"aws_x\" \"c\" {\n  count = 1\n  auth {\n    on = true\n  }\n}\nresource \"aws_x\" \"y\" {\n  on = aws_x.c[0].auth[0].on\n  ca = aws_x.c[0].auth[0].ca\n  old = aws_x.c.0.auth.0.ca.0.data\n}\n",
    )]);
    assert_eq!(reading.problems, []);
    let y = one(&reading, "aws_x.y");
    assert_eq!(
        plain(&y.attrs),
        json!({"on": true, "ca": {"unknown": "aws_x.c[0].auth[0].ca"}, "old": {"unknown": "aws_x.c[0].auth[0].ca[0].data"}})
    );
}

#[test]
fn modules_to_any_depth_with_their_call_chain() {
    let reading = reading(&[
        (
            "app/main.tf",
            "module \"store\" {\n  source = \"../modules/store\"\n  for_each = { eu = true, us = false }\n  name = \"b-${each.key}\"\n  public = each.value\n}\nmodule \"off\" {\n  source = \"../modules/store\"\n  count = 0\n  name = \"x\"\n}\nresource \"aws_x\" \"y\" {\n  bucket = module.store[\"eu\"].id\n  names = { for k, m in module.store : k => m.name }\n  far = module.far.thing\n}\nmodule \"far\" {\n  source = \"example/vpc/aws\"\n}\n",
        ),
        (
            "modules/store/main.tf",
            "variable \"name\" {}\nvariable \"public\" { default = false }\nmodule \"inner\" {\n  source = \"./inner\"\n  name = upper(var.name)\n}\nresource \"aws_s3_bucket_acl\" \"a\" {\n  count = var.public ? 1 : 0\n  acl = \"public-read\"\n  bucket = module.inner.id\n}\noutput \"id\" { value = module.inner.id }\noutput \"name\" { value = module.inner.name }\n",
        ),
        (
            "modules/store/inner/main.tf",
            "variable \"name\" {}\nresource \"aws_s3_bucket\" \"b\" {\n  bucket = var.name\n}\noutput \"id\" { value = aws_s3_bucket.b.id }\noutput \"name\" { value = aws_s3_bucket.b.bucket }\n",
        ),
    ]);
    assert_eq!(
        addresses(&reading),
        [
            "aws_x.y",
            "module.store[\"eu\"].aws_s3_bucket_acl.a[0]",
            "module.store[\"eu\"].module.inner.aws_s3_bucket.b",
            "module.store[\"us\"].module.inner.aws_s3_bucket.b"
        ]
    );
    assert!(reading.resources.iter().all(|r| &*r.root == "app"));
    let y = one(&reading, "aws_x.y");
    let edge = y.attrs.at("bucket").unwrap().edge().unwrap().clone();
    assert_eq!(&*edge.address, "module.store[\"eu\"].module.inner.aws_s3_bucket.b");
    assert_eq!(plain(y.attrs.at("names").unwrap()), json!({"eu": "B-EU", "us": "B-US"}));
    assert_eq!(y.attrs.at("far").unwrap().why().unwrap().kind.name(), "module");
    let bucket = one(&reading, "module.store[\"us\"].module.inner.aws_s3_bucket.b");
    let chain: Vec<&str> = bucket.module.iter().map(|c| &*c.address).collect();
    assert_eq!(chain, ["module.store[\"us\"]", "module.store[\"us\"].module.inner"]);
    // The field stands in the inner module, the value was written in the caller.
    let name = bucket.attrs.at("bucket").unwrap();
    let place = reading.sources.place(name.span);
    assert_eq!((&*place.file, place.line, place.column, place.end_column), ("modules/store/inner/main.tf", 3, 12, 20));
    let origin = reading.sources.place(name.origin());
    assert_eq!((&*origin.file, origin.line), ("modules/store/main.tf", 5));
    assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
    assert!(reading.problems[0].message.contains("not on disk"));
}

#[test]
fn an_outline_calls_its_parts_in_its_own_version_and_says_so_once() {
    let reading = reading(&[(
        "main.tf",
        "module \"db\" {\n  source = \"terraform-aws-modules/rds/aws\"\n  version = \"3.5.0\"\n  identifier = \"d\"\n  engine = \"sqlserver-ex\"\n}\nmodule \"ssh\" {\n  source = \"terraform-aws-modules/security-group/aws//modules/ssh\"\n  version = \"~> 4.0\"\n  name = \"s\"\n  ingress_cidr_blocks = [\"10.0.0.0/8\"]\n}\n",
    )]);
    assert_eq!(
        addresses(&reading),
        [
            "module.db.module.db_parameter_group.aws_db_parameter_group.this[0]",
            "module.db.module.db_instance.aws_db_instance.this_mssql[0]",
            "module.db.module.db_instance.data.aws_iam_policy_document.enhanced_monitoring",
            "module.ssh.module.sg.aws_security_group.this_name_prefix[0]",
            "module.ssh.module.sg.aws_security_group_rule.ingress_rules[0]",
            "module.ssh.module.sg.aws_security_group_rule.ingress_with_self[0]",
            "module.ssh.module.sg.aws_security_group_rule.egress_rules[0]",
        ]
    );
    let database = one(&reading, "module.db.module.db_instance.aws_db_instance.this_mssql[0]");
    assert_eq!(database.attrs.at("storage_encrypted").unwrap().as_bool(), Some(false));
    let rule = one(&reading, "module.ssh.module.sg.aws_security_group_rule.ingress_rules[0]");
    assert_eq!(plain(rule.attrs.at("from_port").unwrap()), json!(22));
    let said: Vec<&str> = reading.problems.iter().map(|p| &*p.message).collect();
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn installed_modules_are_read() {
    let reading = reading(&[
        (
            "main.tf",
            "module \"vpc\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n  version = \"5\"\n  cidr = \"10.0.0.0/16\"\n}\n",
        ),
        (
            ".terraform/modules/modules.json",
            r#"{"Modules":[{"Key":"","Source":"","Dir":"."},{"Key":"vpc","Source":"registry.terraform.io/terraform-aws-modules/vpc/aws","Dir":".terraform/modules/vpc"}]}"#,
        ),
        (
            ".terraform/modules/vpc/main.tf",
            "variable \"cidr\" {}\nresource \"aws_vpc\" \"this\" {\n  cidr_block = var.cidr\n}\n",
        ),
    ]);
    assert_eq!(plain(one(&reading, "module.vpc.aws_vpc.this").attrs.at("cidr_block").unwrap()), json!("10.0.0.0/16"));
}

#[test]
fn policy_documents_that_nothing_uses_stand_by_themselves() {
    let document = |name: &str| {
        format!("data \"aws_iam_policy_document\" \"{name}\" {{\n  statement {{ actions = [\"s3:GetObject\"] }}\n}}\n")
    };
    let main = format!(
        "{}{}{}{}module \"m\" {{\n  source = \"./m\"\n  policy = data.aws_iam_policy_document.passed.json\n}}\nresource \"aws_iam_policy\" \"p\" {{\n  policy = data.aws_iam_policy_document.used.json\n}}\ndata \"aws_vpc\" \"a\" {{}}\ndata \"google_iam_policy\" \"open\" {{}}\n",
        document("alone"),
        document("used"),
        document("passed"),
        "data \"aws_iam_policy_document\" \"many\" {\n  count = 2\n}\n",
    );
    let module = format!(
        "variable \"policy\" {{}}\n{}resource \"aws_iam_policy\" \"q\" {{\n  policy = var.policy\n}}\n",
        document("within")
    );
    let reading = reading(&[("main.tf", &main), ("m/main.tf", &module)]);
    let mut judged: Vec<&str> =
        reading.resources.iter().filter(|c| c.address.contains("data.") && !c.existing).map(|c| &*c.address).collect();
    judged.sort_unstable();
    assert_eq!(
        judged,
        [
            "data.aws_iam_policy_document.alone",
            "data.aws_iam_policy_document.many[0]",
            "data.aws_iam_policy_document.many[1]",
            "data.google_iam_policy.open",
            "module.m.data.aws_iam_policy_document.within",
        ]
    );
}

#[test]
fn policy_documents_are_computed_and_stay_structured() {
    let reading = reading(&[(
        "main.tf",
        r#"
data "aws_caller_identity" "me" {}
resource "aws_s3_bucket" "b" {}
data "aws_iam_policy_document" "base" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}
data "aws_iam_policy_document" "p" {
  source_policy_documents = [data.aws_iam_policy_document.base.json]
  statement {
    effect    = "Deny"
    actions   = ["s3:Put*", "s3:Delete*"]
    resources = ["${aws_s3_bucket.b.arn}/*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}
resource "aws_x" "y" {
  policy  = data.aws_iam_policy_document.p.json
  known   = data.aws_iam_policy_document.base.json
  encoded = jsonencode({ Statement = [{ Effect = "Allow", Resource = aws_s3_bucket.b.arn }] })
  heredoc = <<-EOT
    {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "${aws_s3_bucket.b.arn}/*"}]}
  EOT
}
"#,
    )]);
    assert_eq!(reading.problems, []);
    let y = one(&reading, "aws_x.y");
    let at = |p: &str| y.attrs.at(p).map(plain).unwrap();
    assert_eq!(at("policy.Statement[0].Action"), json!("s3:GetObject"));
    assert_eq!(at("policy.Statement[0].Effect"), json!("Allow"));
    assert_eq!(at("policy.Statement[1].Action"), json!(["s3:Put*", "s3:Delete*"]));
    assert_eq!(at("policy.Statement[1].Resource"), json!({"unknown": "${aws_s3_bucket.b.arn}/*"}));
    assert_eq!(
        at("policy.Statement[1].Principal.AWS"),
        json!({"unknown": "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"})
    );
    assert_eq!(at("policy.Statement[1].Condition.Bool"), json!({"aws:SecureTransport": "false"}));
    let known: Json = serde_json::from_str(y.attrs.get("known").unwrap().as_str().unwrap()).unwrap();
    assert_eq!(known["Version"], "2012-10-17");
    assert_eq!(at("encoded.Statement[0].Effect"), json!("Allow"));
    let heredoc = y.attrs.get("heredoc").unwrap().decode_json().unwrap();
    assert_eq!(plain(heredoc.at("Statement[0].Action").unwrap()), json!("*"));
    // A place inside the policy points at the very text.
    let action = y.attrs.at("policy.Statement[0].Action").unwrap();
    assert_eq!(reading.sources.text(action.span), "\"s3:GetObject\"");
}

#[test]
fn providers_aliases_and_default_tags() {
    let reading = reading(&[
        (
            "main.tf",
            "provider \"aws\" {\n  region = \"eu-west-1\"\n  default_tags {\n    tags = { team = \"a\", env = \"x\" }\n  }\n}\nprovider \"aws\" {\n  alias = \"us\"\n  region = \"us-east-1\"\n}\nresource \"aws_x\" \"y\" {\n  tags = { env = \"prod\" }\n}\nresource \"aws_x\" \"z\" {\n  provider = aws.us\n}\nmodule \"m\" {\n  source = \"./m\"\n  providers = { aws.there = aws.us }\n}\n",
        ),
        ("m/main.tf", "resource \"aws_x\" \"here\" {}\nresource \"aws_x\" \"there\" {\n  provider = aws.there\n}\n"),
    ]);
    let region = |a: &str| one(&reading, a).provider.as_ref().unwrap().config.at("region").map(plain);
    assert_eq!(plain(one(&reading, "aws_x.y").attrs.get("tags_all").unwrap()), json!({"team": "a", "env": "prod"}));
    assert_eq!(region("aws_x.y"), Some(json!("eu-west-1")));
    assert_eq!(region("aws_x.z"), Some(json!("us-east-1")));
    assert_eq!(region("module.m.aws_x.here"), Some(json!("eu-west-1")));
    assert_eq!(region("module.m.aws_x.there"), Some(json!("us-east-1")));
}

#[test]
fn files_templates_and_paths() {
    let reading = reading(&[
        ("main.tf", "module \"m\" { source = \"./m\" }\n"),
        (
            "m/main.tf",
            "resource \"aws_x\" \"y\" {\n  f = file(\"${path.module}/a.txt\")\n  t = templatefile(\"${path.module}/t.tpl\", { names = [\"a\", \"b\"] })\n  s = fileset(path.module, \"*.t*\")\n  j = jsondecode(file(\"${path.module}/c.json\")).k\n  h = filemd5(\"${path.module}/a.txt\")\n  gone = file(\"${path.module}/none.txt\")\n  out = file(\"../../etc/passwd\")\n  e = fileexists(\"${path.module}/a.txt\")\n  d = yamldecode(file(\"${path.module}/d.yaml\"))\n}\n",
        ),
        ("m/a.txt", "hello"),
        ("m/t.tpl", "%{ for n in names ~}\n- ${n}\n%{ endfor ~}\n"),
        ("m/c.json", "{\"k\": [1]}"),
        ("m/d.yaml", "a: &x [1, two]\nb: *x\nc: no\n"),
    ]);
    let y = one(&reading, "module.m.aws_x.y");
    let at = |p: &str| y.attrs.get(p).map(plain).unwrap();
    assert_eq!(at("f"), json!("hello"));
    assert_eq!(at("t"), json!("- a\n- b\n"));
    assert_eq!(at("s"), json!(["a.txt", "main.tf", "t.tpl"]));
    assert_eq!(at("j"), json!([1]));
    assert_eq!(at("h"), json!("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(at("e"), json!(true));
    assert_eq!(at("d"), json!({"a": [1, "two"], "b": [1, "two"], "c": false}));
    assert_eq!(y.attrs.get("gone").unwrap().why().unwrap().kind.name(), "file");
    assert_eq!(y.attrs.get("out").unwrap().why().unwrap().kind.name(), "file");
}

#[test]
fn one_broken_file_or_block_never_stops_the_rest() {
    let reading = reading(&[
        (
            "a.tf",
            "resource \"aws_x\" \"a\" {\n  v = 1\n}\nresource \"aws_x\" \"broken\" {\n  v = [1,\n}\nresource \"aws_x\" \"c\" {\n  v = local.nothing\n  w = 2\n}\n",
        ),
        ("b.tf", "\u{FEFF}resource \"aws_x\" \"b\" {\n  v = 3\n}\n"),
        ("c.tf.json", "{\"resource\": {\"aws_x\": {\"j\": {\"v\": \"${1 + 1}\", \"tags\": {\"a\": \"b\"}}}}}"),
        ("d.tf.json", "{\"resource\": "),
    ]);
    assert_eq!(addresses(&reading), ["aws_x.a", "aws_x.c", "aws_x.b", "aws_x.j"]);
    assert_eq!(plain(one(&reading, "aws_x.j").attrs.get("v").unwrap()), json!(2));
    let c = one(&reading, "aws_x.c");
    assert_eq!(plain(c.attrs.get("w").unwrap()), json!(2));
    assert_eq!(c.attrs.get("v").unwrap().why().unwrap().kind.name(), "error");
    let places: Vec<(String, u32)> =
        reading.problems.iter().map(|p| (p.place.file.to_string(), p.place.line)).collect();
    assert_eq!(places, [("a.tf".into(), 6), ("d.tf.json".into(), 1), ("a.tf".into(), 8)]);
    assert!(reading.problems[0].frame.contains("    6 | }"), "{}", reading.problems[0].frame);
}

#[test]
fn a_broken_value_keeps_the_values_after_it() {
    let reading = reading(&[
        ("main.tf", "variable \"a\" {}\nvariable \"b\" {}\nresource \"aws_x\" \"y\" {\n  v = [var.a, var.b]\n}\n"),
        ("terraform.tfvars", "a = [1,,2]\nb = \"x\"\n"),
    ]);
    assert_eq!(plain(one(&reading, "aws_x.y").attrs.at("v[1]").unwrap()), json!("x"));
    assert_eq!(reading.problems.len(), 1);
}

#[test]
fn what_is_not_declared_is_still_a_reference() {
    let reading = reading(&[("main.tf", "resource \"aws_x\" \"y\" {\n  k = aws_kms_key.k.arn\n  bare = word.x\n}\n")]);
    let y = one(&reading, "aws_x.y");
    assert_eq!(&*y.attrs.get("k").unwrap().edge().unwrap().address, "aws_kms_key.k");
    assert_eq!(y.attrs.get("bare").unwrap().why().unwrap().kind.name(), "error");
    assert_eq!(reading.problems.len(), 2);
}

#[test]
fn circles_are_told() {
    let reading = reading(&[
        (
            "main.tf",
            "locals {\n  a = local.b\n  b = local.a\n}\nresource \"aws_x\" \"y\" {\n  v = local.a\n  self = aws_x.y.self\n}\nmodule \"me\" { source = \"./me\" }\n",
        ),
        ("me/main.tf", "module \"me\" { source = \"../me\" }\n"),
    ]);
    let messages: Vec<&str> = reading.problems.iter().map(|p| p.message.as_str()).collect();
    assert!(messages.iter().any(|m| m.contains("depends on itself")), "{messages:?}");
    assert!(messages.iter().any(|m| m.contains("deep")), "{messages:?}");
}

#[test]
fn skips_above_and_inside_a_block() {
    let reading = reading(&[(
        "main.tf",
        "# checkov:skip=CKV_1:before\n\n# plumb:skip=aws.x known\n#tfsec:ignore:aws-x\nresource \"aws_x\" \"y\" {\n  o = { # checkov:skip=CKV_2:inside\n    a = 1 }\n  v = 1 #trivy:ignore:AVD-1\n}\nresource \"aws_x\" \"z\" {}\n",
    )]);
    let skips = &one(&reading, "aws_x.y").skips;
    let found: Vec<(&str, &str)> = skips.iter().map(|s| (s.tool, &*s.ids[0])).collect();
    assert_eq!(found, [("plumb", "aws.x"), ("tfsec", "aws-x"), ("checkov", "CKV_2"), ("trivy", "AVD-1")]);
    assert!(one(&reading, "aws_x.z").skips.is_empty());
}

#[test]
fn overrides_replace_what_they_name() {
    let reading = reading(&[
        ("main.tf", "resource \"aws_x\" \"y\" {\n  a = 1\n  b = 2\n  r {\n    x = 1\n  }\n}\n"),
        ("fix_override.tf", "resource \"aws_x\" \"y\" {\n  b = 3\n  r {\n    x = 2\n  }\n}\n"),
    ]);
    let y = one(&reading, "aws_x.y");
    assert_eq!(plain(&y.attrs), json!({"a": 1, "b": 3, "r": [{"x": 2}]}));
}

#[test]
fn show_prints_one_object_a_resource() {
    let reading = reading(&[("main.tf", "variable \"v\" {}\nresource \"aws_x\" \"y\" {\n  a = var.v\n  b = [1]\n}\n")]);
    let shown: Vec<Json> = plumb_iac::show(&reading).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["address"], "aws_x.y");
    assert_eq!(shown[0]["values"]["b"], json!([1]));
    assert_eq!(shown[0]["unknown"][0]["path"], "a");
    assert_eq!(shown[0]["unknown"][0]["reason"], "input");
    assert_eq!(shown[0]["fields"][0]["at"]["line"], 3);
    let lookup = self::reading(&[(
        "main.tf",
        "data \"aws_region\" \"r\" {}\nresource \"aws_x\" \"y\" {\n  a = \"x-${data.aws_region.r.name}\"\n}\n",
    )]);
    let shown: Vec<Json> = plumb_iac::show(&lookup).collect();
    assert_eq!(shown[1]["unknown"][0]["reason"], "lookup");
    assert_eq!(shown[1]["unknown"][0]["expression"], "x-${data.aws_region.r.name}");
    assert!(matches!(reading.resources[0].attrs.get("a").unwrap().data, Data::Unknown(_)));
}

#[test]
fn the_version_of_a_provider_is_the_locked_or_the_asked_one() {
    let before_5 = |files: &[(&str, &str)]| {
        let reading = reading(files);
        one(&reading, "azurerm_x.y").provider.as_ref().unwrap().may_be_before(5)
    };
    let main = ("main.tf", "resource \"azurerm_x\" \"y\" {}\n");
    let asks = |version: &str| {
        format!(
            "terraform {{\n  required_providers {{\n    azurerm = {{\n      source  = \"hashicorp/azurerm\"\n      version = \"{version}\"\n    }}\n  }}\n}}\n"
        )
    };
    assert!(before_5(&[main]));
    for (version, before) in [
        ("~> 4.0", true),
        ("4.12.0", true),
        (">= 3.0, < 6.0", true),
        ("~> 5.0", false),
        (">= 5.1", false),
        ("= 5.0.1", false),
        (">= 4.0, >= 5.2, != 5.3", false),
    ] {
        assert_eq!(before_5(&[main, ("versions.tf", &asks(version))]), before, "{version}");
    }
    let json = "{\"terraform\": {\"required_providers\": {\"azurerm\": {\"source\": \"hashicorp/azurerm\", \"version\": \"~> 5.0\"}}}}";
    assert!(!before_5(&[main, ("versions.tf.json", json)]));
    let lock = "provider \"example.org/hashicorp/azurerm\" {\n  version = \"5.2.0\"\n}\n";
    assert!(!before_5(&[main, ("versions.tf", &asks(">= 4.0")), (".terraform.lock.hcl", lock)]));
}

#[test]
fn a_resource_may_be_named_with_the_word_resource() {
    let reading = reading(&[(
        "main.tf",
        "resource \"aws_s3_bucket\" \"b\" {\n  bucket = \"data\"\n}\nresource \"aws_x\" \"y\" {\n  a = resource.aws_s3_bucket.b.bucket\n  b = resource.aws_s3_bucket.b.arn\n}\n",
    )]);
    let code = one(&reading, "aws_x.y");
    assert_eq!(code.attrs.at("a").map(plain), Some(json!("data")));
    assert_eq!(code.attrs.at("b").map(plain), Some(json!({ "unknown": "aws_s3_bucket.b.arn" })));
    assert!(reading.problems.is_empty(), "{:?}", reading.problems);
}

#[test]
fn what_surrounds_resources_is_judged_too() {
    let reading = reading(&[(
        "main.tf",
        "variable \"keep\" {\n  default = true\n}\nprovider \"aws\" {\n  alias = \"west\"\n  access_key = \"k\"\n}\nprovider \"google\" {}\ndata \"aws_ami\" \"a\" {\n  owners = [\"self\"]\n}\nresource \"aws_ami\" \"a\" {}\nresource \"google_kms_crypto_key\" \"k\" {\n  lifecycle {\n    prevent_destroy = var.keep\n    ignore_changes = [labels]\n  }\n}\nresource \"google_kms_crypto_key\" \"l\" {}\nresource \"aws_vpc\" \"v\" {\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n",
    )]);
    assert!(reading.problems.is_empty(), "{:?}", reading.problems);
    let mut types: Vec<&str> = reading.resources.iter().filter(|c| !c.existing).map(|c| &*c.type_).collect();
    types.sort_unstable();
    let keys = ["google_kms_crypto_key", "google_kms_crypto_key"];
    assert_eq!(types, [&["aws_ami", "aws_vpc", "data.aws_ami"], &keys[..], &["provider.aws"]].concat());
    let at = |address: &str, path: &str| one(&reading, address).attrs.at(path).map(plain);
    assert_eq!(at("provider.aws.west", "access_key"), Some(json!("k")));
    assert_eq!(at("google_kms_crypto_key.k", "lifecycle.prevent_destroy"), Some(json!(true)));
    assert_eq!(at("google_kms_crypto_key.l", "lifecycle.prevent_destroy"), Some(json!(false)));
    assert_eq!(at("aws_vpc.v", "lifecycle"), None);
}

#[test]
fn a_list_by_its_type_equals_no_tuple() {
    let given = |default: &str, type_: &str, condition: &str| {
        format!(
            "variable \"a\" {{\n type = {type_}\n default = {default}\n}}\nresource \"aws_x\" \"y\" {{\n v = {condition} ? \"yes\" : \"no\"\n}}"
        )
    };
    // `var.a == []` is never true of a list(string): Terraform makes what hangs on it not being so.
    check(&given("[]", "list(string)", "var.a == []"), "v", json!("no"));
    check(&given("{}", "map(string)", "var.a != {}"), "v", json!("yes"));
    check(&given("[]", "any", "var.a == []"), "v", json!("yes"));
    check(&given("[]", "list(string)", "length(var.a) == 0"), "v", json!("yes"));
}

#[test]
fn both_sides_of_a_condition_get_one_type() {
    let v = |expr: &str| {
        format!(
            "variable \"n\" {{\n type = list(number)\n default = [1, 2]\n}}\nresource \"aws_x\" \"y\" {{\n v = {expr}\n}}"
        )
    };
    check(&v("true ? var.n : [\"none\"]"), "v", json!(["1", "2"]));
    check(&v("true ? [1, \"two\"] : []"), "v", json!(["1", "two"]));
    // What is wrong with the other side does not matter.
    check(&v("length(var.n) > 5 ? var.n[5] : var.n[0]"), "v", json!(1));
    check(&v("length(var.n) > 1 ? [for x in var.n : x] : [var.n[9]]"), "v", json!([1, 2]));
}

#[test]
fn a_type_in_json_is_an_attribute() {
    let files = MemoryFiles::new([(
        "main.tf.json",
        r#"{"variable": {"n": {"type": "list(string)", "default": [1]}}, "resource": {"aws_x": {"y": {"type": "String", "n": "${var.n}"}}}}"#,
    )]);
    let reading = read(&files, &Options::default());
    assert_eq!(plain(&one(&reading, "aws_x.y").attrs), json!({ "type": "String", "n": ["1"] }));
}

#[test]
fn region_and_partition_are_those_of_the_provider() {
    let hcl = r#"
variable "unknown" {}
provider "aws" { region = "us-gov-west-1" }
provider "aws" {
  alias  = "cn"
  region = "cn-north-1"
}
provider "aws" {
  alias  = "open"
  region = var.unknown
}
data "aws_region" "a" {}
data "aws_region" "b" { provider = aws.cn }
data "aws_region" "c" { provider = aws.open }
data "aws_partition" "a" {}
data "aws_partition" "b" { provider = aws.cn }
data "aws_partition" "c" { provider = aws.open }
resource "aws_x" "y" {
  known = [data.aws_region.a.name, data.aws_region.b.id, data.aws_partition.a.partition, data.aws_partition.b.dns_suffix]
  open  = [data.aws_region.c.name, data.aws_partition.c.partition]
}
"#;
    check(hcl, "known", json!(["us-gov-west-1", "cn-north-1", "aws-us-gov", "amazonaws.com.cn"]));
    check(
        hcl,
        "open",
        json!([{ "unknown": "data.aws_region.c.name" }, { "unknown": "data.aws_partition.c.partition" }]),
    );
}

#[test]
fn documents_take_ids_and_policy_variables_in() {
    let hcl = r#"
data "aws_iam_policy_document" "part" {
  policy_id = "part"
  statement {
    sid       = "A"
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::b/&{aws:username}/*"]
    principals {
      type        = "AWS"
      identifiers = ["&{aws:userid}"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:username"
      values   = ["&{aws:username}"]
    }
  }
}
data "aws_iam_policy_document" "all" {
  source_policy_documents = [data.aws_iam_policy_document.part.json]
}
resource "aws_x" "y" {
  v = jsondecode(data.aws_iam_policy_document.all.json)
}
"#;
    let expected = json!({
        "Version": "2012-10-17",
        "Id": "part",
        "Statement": [{
            "Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*",
            "Principal": { "AWS": "${aws:userid}" }, "Condition": { "StringEquals": { "aws:username": "${aws:username}" } }
        }]
    });
    check(hcl, "v", expected);
}
