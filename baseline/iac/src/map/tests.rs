use super::*;
use crate::source::MemoryFiles;
use crate::terraform::{self, Options};
use plumb_catalog::{Catalog, Condition};

fn catalog() -> Catalog {
    Catalog::load([]).0
}

fn fields(text: &str, address: &str) -> impl Fn(&str) -> Value {
    let catalog = catalog();
    let reading = terraform::read(&MemoryFiles::new([("main.tf", text)]), &Options::default());
    let mapped = resources(&catalog, &reading);
    let found =
        mapped.into_iter().find(|m| m.resource.id.as_str() == address).unwrap_or_else(|| panic!("no {address}"));
    let kind = catalog.kinds.get(&found.resource.kind).unwrap().clone();
    move |name| found.resource.fields[kind.slot(name).unwrap()].clone()
}

const SPLIT: &str = r#"
resource "aws_s3_bucket" "b" { bucket = "logs" }
resource "aws_s3_bucket_versioning" "v" {
  bucket = aws_s3_bucket.b.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_public_access_block" "p" {
  bucket            = "logs"
  block_public_acls = true
  block_public_policy = var.block
}
variable "block" {}
"#;

#[test]
fn separate_resources_become_one_bucket() {
    let field = fields(SPLIT, "aws_s3_bucket.b");
    assert_eq!(field("versioning"), Value::Bool(true), "linked by reference");
    assert_eq!(field("block_public_acls"), Value::Bool(true), "linked by name");
    let Value::Unknown(why) = field("block_public_policy") else { panic!("an input without value is unknown") };
    assert_eq!((why.reason, why.call.as_str()), (Reason::NotComputed, "var.block"));
    assert!(why.detail.ends_with("main.tf:12"), "{}", why.detail);
    assert_eq!(field("mfa_delete"), Value::Bool(false), "left out: the default");
}

#[test]
fn a_carrier_that_is_not_made_carries_nothing() {
    let text = SPLIT.replace("bucket = aws_s3_bucket.b.id", "bucket = aws_s3_bucket.b.id\n  count = 0");
    assert_eq!(fields(&text, "aws_s3_bucket.b")("versioning"), Value::Bool(false));
    let text = SPLIT.replace("bucket = aws_s3_bucket.b.id", "bucket = aws_s3_bucket.b.id\n  count = var.block ? 1 : 0");
    assert!(matches!(fields(&text, "aws_s3_bucket.b")("versioning"), Value::Unknown(_)));
}

#[test]
fn references_are_set_and_name_what_they_mean() {
    let text = r#"
resource "aws_kms_key" "k" {}
resource "aws_sqs_queue" "q" { kms_master_key_id = aws_kms_key.k.arn }
resource "aws_sqs_queue" "r" { kms_master_key_id = var.key }
variable "key" {}
"#;
    assert_eq!(fields(text, "aws_sqs_queue.q")("kms_key_id"), Value::str("aws_kms_key.k"));
    assert!(matches!(fields(text, "aws_sqs_queue.r")("kms_key_id"), Value::Unknown(_)));
}

#[test]
fn a_carrier_may_belong_to_something_in_between() {
    let text = r#"
resource "aws_lb" "web" {}
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.shop.arn
  }
}
resource "aws_lb_listener_rule" "staff" {
  listener_arn = aws_lb_listener.https.arn
  action {
    type = "authenticate-oidc"
    authenticate_oidc { on_unauthenticated_request = "deny" }
  }
  action {
    type = "forward"
    forward {
      target_group { arn = aws_lb_target_group.staff.arn }
    }
  }
  condition {
    path_pattern { values = ["/staff/*"] }
  }
}
resource "aws_lb_target_group" "shop" { port = 80 }
resource "aws_lb_target_group" "staff" { port = 80 }
resource "aws_lb_target_group_attachment" "one" {
  target_group_arn = aws_lb_target_group.staff.arn
  target_id        = "i-1"
  port             = 8080
}
resource "aws_lb" "other" {}
"#;
    let plain = |address: &str, field: &str| fields(text, address)(field).to_plain_json();
    let rules = plain("aws_lb.web", "rules");
    assert_eq!(rules[0]["actions"], serde_json::json!(["authenticate-oidc", "forward"]), "{rules}");
    assert_eq!(rules[0]["oidc_unsigned"], serde_json::json!(["deny"]), "{rules}");
    assert_eq!(rules[0]["groups"], serde_json::json!(["aws_lb_target_group.staff"]), "{rules}");
    assert_eq!(rules[0]["paths"], serde_json::json!(["/staff/*"]), "{rules}");
    assert_eq!(plain("aws_lb.web", "listeners")[0]["groups"], serde_json::json!(["aws_lb_target_group.shop"]));
    assert!(plain("aws_lb.other", "rules").is_null());
    let targets = plain("aws_lb_target_group.staff", "targets");
    assert_eq!((&targets[0]["target"], &targets[0]["port"]), (&"i-1".into(), &8080.into()), "{targets}");
}

#[test]
fn a_field_knows_its_line() {
    let reading = terraform::read(&MemoryFiles::new([("main.tf", SPLIT)]), &Options::default());
    let catalog = catalog();
    let mapped = resources(&catalog, &reading);
    let bucket = mapped.iter().find(|m| m.resource.kind.as_str() == "aws.s3.bucket").unwrap();
    let slot = catalog.kinds.get(&bucket.resource.kind).unwrap().slot("versioning").unwrap();
    assert!(
        matches!(bucket.resource.sources.get(slot), Some(Source::Code { line: 5, .. })),
        "{:?}",
        bucket.resource.sources.get(slot)
    );
    assert_eq!(bucket.carriers.len(), 2);
}

#[test]
fn a_template_policy_finds_its_queue() {
    let text = r#"
Resources:
  Q: { Type: "AWS::SQS::Queue" }
  P:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Q]
      PolicyDocument:
        Statement: [{ Effect: Allow, Principal: "*", Action: "sqs:*", Resource: !GetAtt Q.Arn }]
"#;
    let catalog = catalog();
    let reading = crate::templates::read(&MemoryFiles::new([("t.yaml", text)]));
    let mapped = resources(&catalog, &reading);
    let queue = mapped.iter().find(|m| m.resource.kind.as_str() == "aws.sqs.queue").unwrap();
    let slot = catalog.kinds.get(&queue.resource.kind).unwrap().slot("policy").unwrap();
    let statement = queue.resource.fields[slot].get("Statement").unwrap().as_list().unwrap()[0].clone();
    assert_eq!(statement.get("Principal"), Some(&Value::str("*")));
    assert!(statement.first_unknown().is_none(), "{statement:?}");
}

/// The stand-ins of a Terraform file: address, kind and a field of each.
fn lent(text: &str, field: &str) -> Vec<(String, String, Value)> {
    let catalog = catalog();
    let reading = terraform::read(&MemoryFiles::new([("main.tf", text)]), &Options::default());
    let mapped = resources(&catalog, &reading);
    let found = elsewhere(&catalog, &reading, &mapped).into_iter().map(|one| {
        let kind = catalog.kinds.get(&one.mapped.resource.kind).unwrap();
        let value = kind.slot(field).map_or(Value::Null, |slot| one.mapped.resource.fields[slot].clone());
        (one.mapped.resource.id.as_str().to_owned(), kind.id.as_str().to_owned(), value)
    });
    found.collect()
}

#[test]
fn a_carrier_of_something_declared_elsewhere_stands_for_it() {
    let text = r#"
resource "aws_s3_bucket_public_access_block" "p" {
  bucket            = "of-another-stack"
  block_public_acls = true
}
"#;
    let p = || "aws_s3_bucket_public_access_block.p".to_owned();
    let bucket = || "aws.s3.bucket".to_owned();
    assert_eq!(lent(text, "block_public_acls"), [(p(), bucket(), Value::Bool(true))], "what it says");
    assert_eq!(lent(text, "restrict_public_buckets"), [(p(), bucket(), Value::Bool(false))], "only it could say so");
    let [(_, _, Value::Unknown(why))] = &lent(text, "log_bucket")[..] else { panic!("the bucket itself may say it") };
    assert!(why.detail.contains("declared elsewhere"), "{}", why.detail);
    assert_eq!(lent(SPLIT, "policy"), [], "carriers of a bucket that is here stand for nothing else");
    let association =
        "resource \"aws_wafv2_web_acl_association\" \"a\" {\n  resource_arn = \"x\"\n  web_acl_arn = \"y\"\n}\n";
    assert_eq!(lent(association, "web_acl"), [], "two kinds read it: it means neither for certain");
}

#[test]
fn children_of_an_existing_parent_in_bicep_stand_for_it() {
    let catalog = catalog();
    let lent = |parent: &str| {
        let text = format!(
            "resource c 'Microsoft.ContainerService/managedClusters@2024-05-01' {parent}\n\
             resource p 'Microsoft.ContainerService/managedClusters/agentPools@2024-05-01' = {{\n  parent: c\n  \
             name: 'two'\n  properties: {{ enableEncryptionAtHost: false }}\n}}\n"
        );
        let reading = crate::bicep::read(&MemoryFiles::new([("main.bicep", text.as_str())]), "main.bicep");
        let mapped = resources(&catalog, &reading);
        let found = elsewhere(&catalog, &reading, &mapped);
        found.into_iter().map(|one| (one.mapped.resource.kind.to_string(), one.fields)).collect::<Vec<_>>()
    };
    let found = lent("existing = { name: 'of-another-team' }");
    let [(kind, fields)] = &found[..] else { panic!("{found:?}") };
    assert!(kind == "azure.aks.cluster" && fields.contains("node_pools"), "{found:?}");
    assert_eq!(lent("= { name: 'ours', location: 'x', properties: {} }"), [], "the cluster is here");
}

#[test]
fn what_holds_of_all_code_holds_of_what_is_declared_elsewhere() {
    let text = r#"
resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id = "sg-of-another-stack"
  ip_protocol       = "tcp"
}
"#;
    let of = |field: &str| lent(text, field).remove(0).2;
    assert_eq!(of("declared"), Value::Bool(true), "a part of it stands in code");
    assert!(matches!(of("description"), Value::Unknown(_)), "only the group itself says it");
}

#[test]
fn defaults_may_depend_on_the_type() {
    let app = |type_: &str| format!("resource \"{type_}\" \"a\" {{\n  name = \"a\"\n}}\n");
    for (type_, state) in [("azurerm_app_service", "AllAllowed"), ("azurerm_linux_web_app", "Disabled")] {
        let (text, address) = (app(type_), format!("{type_}.a"));
        let field = fields(&text, &address);
        assert_eq!(field("ftps_state"), Value::str(state), "{type_}");
    }
}

#[test]
fn an_empty_block_is_there() {
    let text = |block: &str| format!("resource \"google_container_cluster\" \"c\" {{\n  name = \"c\"\n  {block}\n}}\n");
    for (block, on) in [("", false), ("master_authorized_networks_config {}", true)] {
        let text = text(block);
        let field = fields(&text, "google_container_cluster.c");
        assert_eq!(field("authorized_networks_on"), Value::Bool(on), "{block}");
    }
    let text = "resource \"google_compute_subnetwork\" \"s\" {\n  name = \"s\"\n  log_config {}\n}\n";
    assert_eq!(fields(text, "google_compute_subnetwork.s")("flow_logs"), Value::Bool(true));
}

#[test]
fn kinds_names_every_kind_that_is_found() {
    let catalog = catalog();
    // What a patch may add to a key is of a kind of its own.
    let key = MemoryFiles::new([("main.tf", "resource \"google_kms_crypto_key\" \"k\" {}")]);
    let named = kinds(&catalog, &[terraform::read(&key, &Options::default())]);
    assert!(named.contains("gcp.kms.key") && named.contains("gcp.kms.grant") && !named.contains("aws.kms.key"));
    let (mut tried, mut found_all) = (0, 0);
    let examples = catalog.rules.values().flat_map(|rule| rule.examples.iter().map(move |e| (rule, e)));
    for (rule, example) in examples.filter(|(_, e)| e.dialect == plumb_catalog::Dialect::Hcl) {
        let reading = terraform::read(&MemoryFiles::new([("main.tf", example.text.as_str())]), &Options::default());
        let mapped = resources(&catalog, &reading);
        let lent = elsewhere(&catalog, &reading, &mapped);
        let named = kinds(&catalog, std::slice::from_ref(&reading));
        for one in mapped.iter().chain(lent.iter().map(|l| &l.mapped)) {
            assert!(named.contains(&one.resource.kind), "{}, {}: {}", rule.id, &*example.title, one.resource.kind);
        }
        tried += 1;
        found_all += usize::from(named.len() == catalog.kinds.len());
    }
    assert!(tried > 1000 && found_all == 0, "{tried} examples");
}

#[test]
fn the_email_of_an_account_made_here_is_its_own() {
    let text = |from: &str| {
        format!(
            "resource \"google_service_account\" \"own\" {{\n  account_id = \"own\"\n}}\n\
             data \"google_compute_default_service_account\" \"all\" {{}}\n\
             data \"google_service_account\" \"some\" {{\n  account_id = \"some\"\n}}\n\
             resource \"google_compute_instance\" \"m\" {{\n  service_account {{\n    email = {from}.email\n  }}\n}}\n"
        )
    };
    let account = |from: &str| fields(&text(from), "google_compute_instance.m")("service_account");
    assert_eq!(account("google_service_account.own"), Value::str("google_service_account.own"));
    // Who looks one up may find the default one.
    let found = account("data.google_service_account.some");
    assert!(matches!(found, Value::Unknown(_)), "{found:?}");
    // The source of the default one gives no other.
    let found = account("data.google_compute_default_service_account.all");
    assert!(found.as_str().is_some_and(|email| email.ends_with("-compute@developer.gserviceaccount.com")), "{found:?}");
}

#[test]
fn text_around_a_name_of_this_code_is_set() {
    let group = |arn: &str| {
        let text = format!(
            "resource \"aws_cloudwatch_log_group\" \"g\" {{\n  name = \"g\"\n}}\n\
             resource \"aws_cloudtrail\" \"t\" {{\n  cloud_watch_logs_group_arn = {arn}\n}}\n"
        );
        fields(&text, "aws_cloudtrail.t")("log_group_arn")
    };
    assert_eq!(group("\"${aws_cloudwatch_log_group.g.arn}:*\""), Value::str("${aws_cloudwatch_log_group.g.arn}:*"));
    let found = group("\"${aws_cloudwatch_log_group.g.log_group_class}:*\"");
    assert!(matches!(found, Value::Unknown(_)), "{found:?}");
    let found = group("\"${var.nobody_says}:*\"");
    assert!(matches!(found, Value::Unknown(_)), "{found:?}");
}

/// What is looked up by a name that is written is that; what nobody says is not taken for harmless (P03).
#[test]
fn what_is_looked_up_is_known_by_its_name() {
    let attached = |data: &str, policy: &str| {
        let text = format!(
            "variable \"x\" {{}}\n{data}\nresource \"aws_iam_role\" \"r\" {{}}\n\
             resource \"aws_iam_role_policy_attachment\" \"a\" {{\n  role = aws_iam_role.r.name\n  policy_arn = {policy}\n}}\n"
        );
        fields(&text, "aws_iam_role.r")("attached_policies")
    };
    let admin = Value::list([Value::str("arn:aws:iam::aws:policy/AdministratorAccess")]);
    let looked_up =
        |by: &str| attached(&format!("data \"aws_iam_policy\" \"p\" {{ {by} }}"), "data.aws_iam_policy.p.arn");
    assert_eq!(looked_up("name = \"AdministratorAccess\""), admin);
    assert_eq!(looked_up("arn = \"arn:aws:iam::aws:policy/AdministratorAccess\""), admin);
    assert_eq!(looked_up("name = \"deploy\""), Value::list([Value::str("${data.aws_iam_policy.p.arn}")]));
    let open = |found: Value| assert!(found.first_unknown().is_some(), "{found:?}");
    open(looked_up("name = var.x"));
    open(looked_up("path_prefix = \"/team/\""));
    open(attached("", "\"arn:aws:iam::aws:policy/${var.x}\""));

    let key = |data: &str, at: &str| {
        let text = format!(
            "variable \"x\" {{}}\n{data}\nresource \"aws_sns_topic\" \"t\" {{ kms_master_key_id = data.{at} }}\n"
        );
        fields(&text, "aws_sns_topic.t")("kms_key_id")
    };
    let alias = |name: &str| {
        key(&format!("data \"aws_kms_alias\" \"k\" {{ name = {name} }}"), "aws_kms_alias.k.target_key_arn")
    };
    assert_eq!(alias("\"alias/aws/sns\""), Value::str("alias/aws/sns"));
    assert_eq!(alias("\"alias/team\""), Value::str("${data.aws_kms_alias.k.target_key_arn}"));
    assert_eq!(alias("\"alias/team/${var.x}\""), Value::str("${data.aws_kms_alias.k.target_key_arn}"));
    open(alias("var.x"));
    open(alias("\"alias/${var.x}\""));
    // Every policy of AWS that a rule asks about is known by its name.
    for rule in catalog().rules.values() {
        let Condition::Cel(block) = &rule.pass else { continue };
        for asked in block.text.split(":aws:policy/").skip(1) {
            let name = asked.split('"').next().unwrap();
            assert!(crate::terraform::AWS_POLICIES.contains(&name), "{}: {name}", rule.id);
        }
    }
    let held = "data \"aws_kms_key\" \"k\" { key_id = \"alias/aws/sns\" }";
    assert_eq!(key(held, "aws_kms_key.k.arn"), Value::str("alias/aws/sns"));
}

#[test]
fn a_rule_for_a_list_elsewhere_leaves_nothing_open_that_it_says() {
    let text = "resource \"aws_network_acl_rule\" \"r\" {\n  network_acl_id = \"acl-1\"\n  protocol = \"tcp\"\n  rule_action = \"allow\"\n}\n";
    let found = lent(text, "inline_egress");
    let [(_, kind, Value::List(rules))] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((kind.as_str(), rules.len()), ("aws.ec2.network-acl", 1));
}

#[test]
fn what_is_attached_by_reference_is_one() {
    let text = "resource \"aws_iam_user_policy_attachment\" \"a\" {\n  user = \"of-another-stack\"\n  policy_arn = aws_iam_policy.elsewhere.arn\n}\n";
    let attached = Value::list([Value::str("aws_iam_policy.elsewhere")]);
    assert_eq!(
        lent(text, "attached_policies"),
        [("aws_iam_user_policy_attachment.a".to_owned(), "aws.iam.user".to_owned(), attached)]
    );
    let text = "resource \"aws_lb\" \"l\" {\n  subnets = data.aws_subnets.all.ids\n}\n";
    assert!(matches!(fields(text, "aws_lb.l")("subnet_ids"), Value::Unknown(_)), "how many is not known");
}

#[test]
fn texts_that_are_surely_names_are_set() {
    let text = r#"
resource "aws_cloudwatch_log_group" "g" { name = "g" }
resource "aws_cloudtrail" "t" {
  cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.g.arn}:*"
  sns_topic_name             = "${var.x}-topic"
  kms_key_id                 = "arn:aws:kms:${var.x}:111122223333:key/k"
}
variable "x" {}
"#;
    let field = fields(text, "aws_cloudtrail.t");
    assert_eq!(field("log_group_arn"), Value::str("${aws_cloudwatch_log_group.g.arn}:*"));
    assert_eq!(field("kms_key_id"), Value::str("arn:aws:kms:${var.x}:111122223333:key/k"));
    assert!(matches!(field("sns_topic"), Value::Unknown(_)), "may be anything");
    let text = r#"
resource "aws_ssoadmin_managed_policy_attachment" "a" { managed_policy_arn = "arn:${var.x}:iam::aws:policy/AdministratorAccess" }
resource "aws_ssoadmin_managed_policy_attachment" "b" { managed_policy_arn = "arn:aws:iam::aws:policy/${var.x}" }
variable "x" {}
"#;
    let policy = |at: &str| fields(text, &format!("aws_ssoadmin_managed_policy_attachment.{at}"))("policy");
    assert_eq!(policy("a"), Value::str("arn:${var.x}:iam::aws:policy/AdministratorAccess"));
    assert!(matches!(policy("b"), Value::Unknown(_)), "which policy is not said");
}

#[test]
fn one_statement_is_a_list_of_one() {
    let text = r#"
resource "aws_sqs_queue" "q" {
  policy = jsonencode({ Statement = { Effect = "Allow", Principal = "*", Action = "sqs:*" } })
}
"#;
    let policy = fields(text, "aws_sqs_queue.q")("policy");
    assert_eq!(policy.get("Statement").and_then(Value::as_list).map(<[_]>::len), Some(1), "{policy:?}");
}

#[test]
fn documents_may_be_yaml() {
    let text = "resource \"aws_ssm_document\" \"d\" {\n  document_type = \"Session\"\n  content = <<EOF\ninputs:\n  kmsKeyId: k\nEOF\n}\n";
    let content = fields(text, "aws_ssm_document.d")("content");
    assert_eq!(content.get("inputs").and_then(|i| i.get("kmsKeyId")), Some(&Value::str("k")), "{content:?}");
}

#[test]
fn another_providers_region_is_another_region() {
    let text = r#"
provider "aws" { region = "eu-west-1" }
provider "aws" {
  alias  = "far"
  region = "us-east-1"
}
resource "aws_s3_bucket" "here" {}
resource "aws_s3_bucket" "there" { provider = aws.far }
"#;
    let reading = terraform::read(&MemoryFiles::new([("main.tf", text)]), &Options::default());
    let mapped = resources(&catalog(), &reading);
    let buckets = mapped.iter().filter(|m| m.resource.kind.as_str() == "aws.s3.bucket");
    let regions: Vec<&str> = buckets.map(|m| m.resource.region.as_str()).collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
}

#[test]
fn each_block_says_its_own() {
    let text = r#"
resource "aws_lb" "l" {}
resource "aws_lb_listener" "good" {
  load_balancer_arn = aws_lb.l.arn
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
}
resource "aws_lb_listener" "old" {
  load_balancer_arn = aws_lb.l.arn
  protocol          = "HTTPS"
}
"#;
    let catalog = catalog();
    let reading = terraform::read(&MemoryFiles::new([("main.tf", text)]), &Options::default());
    let mapped = resources(&catalog, &reading);
    let kind = catalog.kinds.get(&mapped[0].resource.kind).unwrap();
    let slot = kind.slot("listeners").unwrap();
    let policies = |m: &Mapped| {
        let list = m.resource.fields[slot].as_list().unwrap_or_default().to_vec();
        list.iter().map(|l| l.get("tls_policy").cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    let (good, none) = (Value::str("ELBSecurityPolicy-TLS13-1-2-2021-06"), Value::str(""));
    assert_eq!(policies(&mapped[0]), [good.clone(), none.clone()], "the balancer has both");
    let alone = alone(&catalog, &reading, &mapped).swap_remove(0);
    assert_eq!(alone.iter().map(|part| policies(&part.mapped)).collect::<Vec<_>>(), [vec![good], vec![none]]);
    assert!(alone.iter().all(|part| part.fields.contains("listeners") && !part.fields.contains("internal")));
}

/// A field of the only resource of a kind that a template declares.
fn in_template(path: &str, text: &str, kind: &str, field: &str) -> Value {
    let catalog = catalog();
    let reading = crate::templates::read(&MemoryFiles::new([(path, text)]));
    let mapped = resources(&catalog, &reading);
    let found = mapped.iter().find(|m| m.resource.kind.as_str() == kind).unwrap_or_else(|| panic!("no {kind}"));
    let slot = catalog.kinds.get(&found.resource.kind).unwrap().slot(field).unwrap();
    found.resource.fields[slot].clone()
}

#[test]
fn a_bare_reference_of_a_template_is_a_list_of_one_name() {
    let text = "Resources:\n  G: {Type: 'AWS::RDS::DBParameterGroup', Properties: {Family: mysql8.0, Parameters: {a.b: 1, c: !Ref X}}}\n  \
                D: {Type: 'AWS::RDS::DBInstance', Properties: {Engine: mysql, DBParameterGroupName: !Ref G}}\n\
                Parameters: {X: {Type: String}}\n";
    let groups = in_template("t.yaml", text, "aws.rds.instance", "parameter_groups");
    assert_eq!(groups, Value::list([Value::str("G")]));
    let parameters = in_template("t.yaml", text, "aws.rds.parameter-group", "parameters");
    let [one, two] = parameters.as_list().unwrap_or_default() else { panic!("{parameters:?}") };
    assert_eq!((one.get("key"), one.get("value")), (Some(&Value::str("a.b")), Some(&Value::str("1"))));
    assert!(matches!(two.get("value"), Some(Value::Unknown(_))), "{two:?}");
}

#[test]
fn where_a_stack_is_deployed_leaves_little_open() {
    let grant = |account: &str| {
        let text = format!(
            "Resources:\n  F: {{Type: 'AWS::Lambda::Function'}}\n  P: {{Type: 'AWS::Lambda::Permission', Properties: {{FunctionName: !Ref F, \
             Action: 'lambda:InvokeFunction', Principal: s3.amazonaws.com, SourceAccount: {account}}}}}\nParameters: {{A: {{Type: String}}}}\n"
        );
        let grants = in_template("t.yaml", &text, "aws.lambda.function", "grants");
        grants.as_list().unwrap_or_default()[0].get("restricted_by").cloned().unwrap_or_default()
    };
    assert_eq!(grant("!Ref AWS::AccountId"), Value::str("${AWS::AccountId}"));
    assert!(matches!(grant("!Ref A"), Value::Unknown(_)), "a parameter may be empty");
    let script = |text: &str| {
        let text = format!(
            "Resources:\n  I: {{Type: 'AWS::EC2::Instance', Properties: {{UserData: {{'Fn::Base64': !Sub '{text}'}}}}}}\nParameters: {{A: {{Type: String}}}}\n"
        );
        in_template("t.yaml", &text, "aws.ec2.instance", "user_data")
    };
    assert_eq!(script("run ${AWS::Region}"), Value::str("run ${AWS::Region}"));
    assert!(matches!(script("run ${A}"), Value::Unknown(_)), "what is given may be anything");
    let token = |value: &str| {
        let text = format!(
            "Resources:\n  R: {{Type: 'AWS::ElastiCache::ReplicationGroup', Properties: {{AuthToken: {value}}}}}\n"
        );
        in_template("t.yaml", &text, "aws.elasticache.replication-group", "auth_token")
    };
    assert_eq!(token("'{{resolve:secretsmanager:x}}'"), Value::Bool(true), "it is written, whatever it says");
}

#[test]
fn defaults_may_depend_on_the_version_of_the_interface() {
    let https = |version: &str| {
        let text = format!(
            "resource a 'Microsoft.Storage/storageAccounts@{version}' = {{\n  name: 'a'\n  properties: {{}}\n}}\n"
        );
        in_template("main.bicep", &text, "azure.storage.account", "https_only")
    };
    assert_eq!(https("2018-11-01"), Value::Bool(false));
    assert_eq!(https("2019-04-01"), Value::Bool(true));
}

#[test]
fn settings_of_a_site_elsewhere_stand_for_one() {
    let catalog = catalog();
    let lent = |name: &str, properties: &str| {
        let text = format!(
            "resource c 'Microsoft.Web/sites/config@2023-12-01' = {{\n  name: 'shop/{name}'\n  properties: {properties}\n}}\n"
        );
        let reading = crate::bicep::read(&MemoryFiles::new([("main.bicep", text.as_str())]), "main.bicep");
        let found = elsewhere(&catalog, &reading, &resources(&catalog, &reading));
        found.into_iter().map(|one| (one.mapped.resource.kind.to_string(), one.fields, one.mapped)).collect::<Vec<_>>()
    };
    let found = lent("web", "{ httpLoggingEnabled: true }");
    let (_, fields, web) = found.iter().find(|(kind, ..)| kind == "azure.app.web-app").unwrap();
    let field =
        |name: &str| web.resource.fields[catalog.kinds.get(&web.resource.kind).unwrap().slot(name).unwrap()].clone();
    assert_eq!((field("http_logs"), field("app_kind")), (Value::Bool(true), Value::str("app")));
    assert!(fields.contains("http_logs") && !fields.contains("app_kind"), "what it is taken for is not what it says");
    assert!(
        lent("appsettings", "{ A: 'b' }").iter().all(|(_, fields, _)| fields.is_empty()),
        "it says nothing that is asked"
    );
}
