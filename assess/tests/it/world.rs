//! Who can do what in a small world.

use plumb_assess::identity::aws::{Outcome, World};

const DETAILS: &str = r#"{
 "UserDetailList": [
  {"UserName": "ann", "Arn": "arn:aws:iam::111111111111:user/ann", "GroupList": ["readers"]},
  {"UserName": "bob", "Arn": "arn:aws:iam::111111111111:user/bob", "UserPolicyList": [{"PolicyName": "all",
   "PolicyDocument": "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A*%22%2C%22Resource%22%3A%22*%22%2C%22Condition%22%3A%7B%22Bool%22%3A%7B%22aws%3AMultiFactorAuthPresent%22%3A%22true%22%7D%7D%7D%7D"}]}],
 "GroupDetailList": [{"GroupName": "readers", "Arn": "arn:aws:iam::111111111111:group/readers",
  "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}]}],
 "RoleDetailList": [{"RoleName": "app", "Arn": "arn:aws:iam::111111111111:role/x/app", "AssumeRolePolicyDocument":
   {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:user/bob"}, "Action": "sts:AssumeRole"}}}],
 "Policies": []}"#;

const BUCKET: &str = r#"{"arn:aws:s3:::data": {"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111111111111:role/x/app", "arn:aws:iam::111111111111:user/gone"]},
   "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"},
  {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"},
  {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::data/*",
   "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}"#;

fn world() -> World {
    World::from_files([("details.json", DETAILS), ("buckets.json", BUCKET)]).expect("the files are read")
}

#[test]
fn who_can_read_an_object() {
    let found: Vec<(String, &str)> =
        world().who_can("s3:GetObject", "arn:aws:s3:::data/k").into_iter().map(|h| (h.principal, h.access)).collect();
    let want = [
        ("arn:aws:iam::111111111111:role/x/app", "Allowed"),
        ("arn:aws:iam::111111111111:user/ann", "Allowed"),
        ("arn:aws:iam::111111111111:user/bob", "Conditional"),
        ("222222222222", "Conditional"),
    ];
    assert_eq!(found, want.map(|(p, a)| (p.to_owned(), a)));
}

#[test]
fn can() {
    let world = world();
    let mfa = [("aws:MultiFactorAuthPresent".to_owned(), vec!["true".to_owned()])];
    for (who, action, resource, context, want) in [
        ("arn:aws:iam::111111111111:user/ann", "s3:GetObject", "arn:aws:s3:::x/k", &[][..], Outcome::Allowed),
        ("arn:aws:iam::111111111111:user/ann", "s3:PutObject", "arn:aws:s3:::x/k", &[], Outcome::ImplicitlyDenied),
        ("arn:aws:iam::111111111111:user/bob", "s3:PutObject", "arn:aws:s3:::x/k", &[], Outcome::ImplicitlyDenied),
        ("arn:aws:iam::111111111111:user/bob", "s3:PutObject", "arn:aws:s3:::x/k", &mfa, Outcome::Allowed),
        ("arn:aws:sts::111111111111:assumed-role/app/s", "s3:GetObject", "arn:aws:s3:::data/k", &[], Outcome::Allowed),
        (
            "arn:aws:iam::111111111111:user/bob",
            "sts:AssumeRole",
            "arn:aws:iam::111111111111:role/x/app",
            &[],
            Outcome::Allowed,
        ),
        (
            "arn:aws:iam::111111111111:user/ann",
            "sts:AssumeRole",
            "arn:aws:iam::111111111111:role/x/app",
            &[],
            Outcome::ImplicitlyDenied,
        ),
        ("*", "s3:GetObject", "arn:aws:s3:::data/k", &[], Outcome::ImplicitlyDenied),
    ] {
        let decision = world.can(who, action, resource, context).expect("the principal is understood");
        assert_eq!(decision.outcome, want, "{who} {action} {resource}: {decision:?}");
    }
    assert!(world.can("nonsense", "s3:GetObject", "*", &[]).is_none());
}

#[test]
fn files_that_are_nothing_are_refused() {
    let error = World::from_files([("x.json", "{\"a\": 1}")]).expect_err("the file is nothing");
    assert!(error.to_string().starts_with("x.json: neither"), "{error}");
}

#[test]
fn prefixes_are_reached_apart() {
    use plumb_assess::identity::aws::{
        prefixes::prefixes,
        reach::{Access, Evaluator},
    };
    let details = r#"{"UserDetailList": [{"UserName": "ann", "Arn": "arn:aws:iam::111111111111:user/ann", "UserPolicyList":
      [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/team/*"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::d*/own/ann/*"},
        {"Effect": "Allow", "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::data/shared.txt"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/team/secret/*"}]}}]}]}"#;
    let world = World::from_files([("details.json", details)]).expect("the file is read");
    let found = prefixes(&world, "arn:aws:s3:::data");
    let witnesses: Vec<String> = found.iter().map(|p| p.witness.clone()).collect();
    let reach = Evaluator::new(&world, witnesses).reach();
    let access: Vec<(&str, Access)> =
        found.iter().map(|p| (p.shown.trim_start_matches("arn:aws:s3:::"), reach.access(0, &p.witness))).collect();
    let want = [
        ("data/*", Access::None),
        ("data/own/ann/*", Access::Write),
        ("data/shared.txt", Access::Admin),
        ("data/team/*", Access::Read),
        ("data/team/secret/*", Access::None),
    ];
    assert_eq!(access, want);
}

#[test]
fn a_bucket_of_nobody_known_is_granted_to_nobody_for_certain() {
    let two = r#"{"UserDetailList": [
      {"UserName": "ann", "Arn": "arn:aws:iam::111111111111:user/ann", "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}]},
      {"UserName": "bob", "Arn": "arn:aws:iam::222222222222:user/bob", "AttachedManagedPolicies": [{"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}]}]}"#;
    let mut world = World::from_files([("details.json", two)]).expect("the file is read");
    let ask = |world: &World| -> Vec<(String, &str)> {
        world.who_can("s3:GetObject", "arn:aws:s3:::data/k").into_iter().map(|h| (h.principal, h.access)).collect()
    };
    let (ann, bob) = ("arn:aws:iam::111111111111:user/ann".to_owned(), "arn:aws:iam::222222222222:user/bob".to_owned());
    assert_eq!(ask(&world), [(ann.clone(), "Conditional"), (bob, "Conditional")]);
    world.add_owner("arn:aws:s3:::data", "111111111111");
    assert_eq!(ask(&world), [(ann, "Allowed")]);
}

/// A folder that holds nothing but policies: whose they are, the question says.
#[test]
fn policies_by_themselves_are_of_whom_the_question_names() {
    let identity = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;
    let boss = "arn:aws:iam::111122223333:user/boss";
    let bucket = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{boss}"}},"Action":"s3:*","Resource":"*"}},
            {{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/secret/*"}}]}}"#
    );
    let ann = "arn:aws:iam::111122223333:user/ann";
    let ask = |world: &World, who: &str, action: &str, key: &str| {
        world.can(who, action, &format!("arn:aws:s3:::b/{key}"), &[]).unwrap().outcome.name()
    };
    let one = World::from_files([("identity.json", identity)]).unwrap();
    assert_eq!(ask(&one, ann, "s3:GetObject", "k"), "Allowed");
    assert_eq!(ask(&one, ann, "s3:PutObject", "k"), "ImplicitlyDenied");
    assert!(!one.outside(ann));
    let both = World::from_files([("bucket.json", bucket.as_str()), ("identity.json", identity)]).unwrap();
    assert_eq!(ask(&both, ann, "s3:GetObject", "secret/k"), "ExplicitlyDenied");
    assert_eq!(ask(&both, boss, "s3:PutObject", "k"), "Allowed");
    assert_eq!(ask(&both, ann, "s3:PutObject", "k"), "ImplicitlyDenied");
    let holders = both.who_can("s3:PutObject", "arn:aws:s3:::b/k");
    assert_eq!(holders.iter().map(|h| h.principal.as_str()).collect::<Vec<_>>(), [boss]);
    let error = World::from_files([("a.json", bucket.as_str()), ("b.json", bucket.as_str())]).expect_err("whose is it");
    assert!(error.to_string().contains("b.json: names principals, as a.json does"), "{error}");
    // What is read decides of whom it speaks; of anybody else nothing is known, and it is said.
    let read = world();
    assert!(read.outside(ann) && !read.outside("arn:aws:iam::111111111111:user/gone"));
}

#[test]
fn grants_on_keys_come_with_the_files() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/k";
    let policy = format!(
        r#"{{"{key}": {{"Statement": {{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::111111111111:role/keeper"}}, "Action": "kms:*", "Resource": "*"}}}}}}"#
    );
    let grants = format!(
        r#"{{"Grants": [{{"KeyId": "{key}", "GrantId": "g", "GranteePrincipal": "arn:aws:iam::111111111111:role/x/app", "Operations": ["Decrypt"],
            "Constraints": {{"EncryptionContextSubset": {{"app": "a"}}}}}}], "Truncated": false}}"#
    );
    let files = [("details.json", DETAILS), ("keys.json", &policy), ("grants.json", &grants)];
    let world = World::from_files(files).expect("the files are read");
    let ask = |action: &str, app: &str| {
        let context = [("kms:EncryptionContext:app".to_owned(), vec![app.to_owned()])];
        world.can("arn:aws:iam::111111111111:role/x/app", action, key, &context).unwrap().outcome.name()
    };
    assert_eq!(ask("kms:Decrypt", "a"), "Allowed");
    assert_eq!(ask("kms:Decrypt", "b"), "ImplicitlyDenied");
    assert_eq!(ask("kms:Encrypt", "a"), "ImplicitlyDenied");
    let error = World::from_files([("g.json", r#"{"Grants": [{"KeyId": "k"}]}"#)]).expect_err("whose key");
    assert!(error.to_string().contains("no `KeyId` with the ARN"), "{error}");
}

#[test]
fn grants_of_the_record_are_told_and_listed() {
    let key = "arn:aws:kms:eu-west-1:111111111111:key/k";
    let mut world = world();
    let strange = "arn:aws:iam::999988887777:role/left-behind";
    // As the kind of keys has them.
    world.add_grants(
        key,
        &serde_json::json!([
            {"grant_name": "app", "grantee": "arn:aws:iam::111111111111:role/x/app", "operations": ["Decrypt"],
             "encryption_context_equals": {}, "encryption_context_subset": {}},
            {"grant_name": "g-2", "grantee": strange, "operations": ["Decrypt", "GenerateDataKey"]},
            {"grant_name": "gone", "grantee": "arn:aws:iam::111111111111:user/gone", "operations": ["Decrypt"]},
        ]),
    );
    let app = world.can("arn:aws:iam::111111111111:role/x/app", "kms:Decrypt", key, &[]).expect("an answer");
    assert_eq!(app.outcome, Outcome::Allowed);
    assert_eq!(app.because.iter().map(|b| &*b.policy).collect::<Vec<_>>(), ["grant app"]);
    let app = world.can("arn:aws:iam::111111111111:role/x/app", "kms:Encrypt", key, &[]).expect("an answer");
    assert_eq!(app.outcome, Outcome::ImplicitlyDenied);
    let holders: Vec<(String, &str)> =
        world.who_can("kms:Decrypt", key).into_iter().map(|h| (h.principal, h.access)).collect();
    let want = [("arn:aws:iam::111111111111:role/x/app", "Allowed"), (strange, "Conditional")];
    assert_eq!(holders, want.map(|(who, access)| (who.to_owned(), access)));
}
