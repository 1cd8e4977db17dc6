//! Exposure of managed services: what stands between their endpoints and the internet.

use super::exposure::{Given, bastion, check};
use plumb_assess::exposure::Class;
use serde_json::{Value as Json, json};

/// The network of a public subnet with SSH open, and one more resource.
fn beside(kind: &'static str, fields: Json) -> Vec<Given> {
    let mut world = bastion();
    world.push(("aws.vpc.subnet", "subnet", json!({"subnet_id": "subnet-1", "vpc_id": "vpc-1", "zone": "a"})));
    world.push((kind, "it", fields));
    world
}

fn merged(mut base: Json, change: Json) -> Json {
    for (name, value) in change.as_object().into_iter().flatten() {
        base[name.as_str()] = value.clone();
    }
    base
}

#[track_caller]
fn is(kind: &'static str, base: &Json, change: Json, class: Class, at_most: Option<Class>) {
    check(&beside(kind, merged(base.clone(), change)), "it", class, at_most);
}

#[test]
fn databases() {
    let base = json!({"public": true, "port": 22, "vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]});
    for kind in ["aws.rds.instance", "aws.redshift.cluster"] {
        is(kind, &base, json!({}), Class::InternetAuthenticated, None);
        is(kind, &base, json!({"public": false}), Class::Internal, None);
        is(kind, &base, json!({"port": 5432}), Class::Internal, None);
        is(kind, &base, json!({"security_group_ids": "?"}), Class::Unknown, Some(Class::Internet));
        is(kind, &base, json!({"security_group_ids": ["sg-9"]}), Class::Unknown, Some(Class::InternetAuthenticated));
        // One of its subnets is not on the record: where it stands is not known, unless its zone tells.
        is(
            kind,
            &base,
            json!({"subnet_ids": ["subnet-1", "subnet-2"], "zone": "a"}),
            Class::InternetAuthenticated,
            None,
        );
    }
}

#[test]
fn load_balancers() {
    let base = json!({"internal": false, "subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"], "listeners": [{"port": 22, "protocol": "TCP"}]});
    let kind = "aws.elbv2.load-balancer";
    is(kind, &base, json!({}), Class::Internet, None);
    is(kind, &base, json!({"internal": true}), Class::Internal, None);
    is(kind, &base, json!({"listeners": []}), Class::Internal, None);
    is(kind, &base, json!({"listeners": [{"port": 443}]}), Class::Internal, None);
    is(kind, &base, json!({"security_group_ids": []}), Class::Internet, None);
    is(kind, &base, json!({"listeners": "?"}), Class::Unknown, Some(Class::Internet));
}

/// What listeners do with requests, by default and by rules.
#[test]
fn listeners_and_their_rules() {
    const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/app/web/1/2";
    let rule = |n: u8, rest: Json| {
        let mut rule = json!({"rule_arn": format!("{}/{n}", LISTENER.replace(":listener/", ":listener-rule/"))});
        for (name, value) in rest.as_object().expect("members") {
            rule[name] = value.clone();
        }
        rule
    };
    let (oidc, forward, fixed) =
        (json!(["authenticate-oidc", "forward"]), json!(["forward"]), json!(["fixed-response"]));
    let base = |actions: &Json, rules: Json| {
        json!({"type": "application", "internal": false, "subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"],
            "listeners": [{"port": 22, "protocol": "HTTPS", "listener_arn": LISTENER, "actions": actions}], "rules": rules})
    };
    let signed = Class::InternetAuthenticated;
    for (what, actions, rules, class, at_most) in [
        ("sends everyone on", &forward, json!([]), Class::Internet, None),
        ("everyone signs in", &oidc, json!([rule(1, json!({"is_default": true, "actions": oidc}))]), signed, None),
        ("answers by itself", &fixed, json!([]), Class::Internet, None),
        (
            "answers, a rule sends on",
            &fixed,
            json!([rule(1, json!({"actions": forward, "hosts": ["a.example"]}))]),
            Class::Internet,
            None,
        ),
        (
            "answers, a rule asks",
            &fixed,
            json!([rule(1, json!({"actions": ["authenticate-cognito", "forward"]}))]),
            signed,
            None,
        ),
        (
            "asks, a rule does not",
            &oidc,
            json!([rule(1, json!({"actions": forward, "paths": ["/health"]}))]),
            Class::Internet,
            None,
        ),
        (
            "asks, but lets pass who did not sign in",
            &fixed,
            json!([rule(1, json!({"actions": oidc, "oidc_unsigned": ["allow"]}))]),
            Class::Internet,
            None,
        ),
        (
            "sends on few addresses only",
            &fixed,
            json!([rule(1, json!({"actions": forward, "source_ips": ["203.0.113.0/28"]}))]),
            Class::Limited,
            None,
        ),
        (
            "a rule of another listener",
            &oidc,
            json!([{"rule_arn": "arn:other/9/1", "actions": ["forward"]}]),
            signed,
            None,
        ),
        ("asks, rules not read", &oidc, json!("?"), signed, Some(Class::Internet)),
        ("sends everyone on, rules not read", &forward, json!("?"), Class::Internet, None),
    ] {
        println!("{what}");
        is("aws.elbv2.load-balancer", &base(actions, rules), json!({}), class, at_most);
    }
    let network = json!({"type": "network", "rules": "?", "listeners": [{"port": 22, "actions": ["forward"]}]});
    is("aws.elbv2.load-balancer", &base(&forward, json!([])), network, Class::Internet, None);
}

/// What is registered in a group is reached through the listeners and rules that send to that group.
#[test]
fn target_groups() {
    const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/app/web/1/2";
    let (open, staff) = ("arn:tg/open", "arn:tg/staff");
    let action = |group: &str, actions: Json| json!({"rule_arn": format!("{}/1", LISTENER.replace(":listener/", ":listener-rule/")), "actions": actions, "groups": [group]});
    let listener = |port: u16, group: &str| json!({"port": port, "protocol": "HTTPS", "listener_arn": LISTENER, "actions": ["forward"], "groups": [group]});
    let oidc = action(staff, json!(["authenticate-oidc", "forward"]));
    let base = || -> Vec<Given> {
        let mut world = bastion();
        world.push(("aws.vpc.subnet", "subnet", json!({"subnet_id": "subnet-1", "vpc_id": "vpc-1", "zone": "a"})));
        world.push(("aws.elbv2.load-balancer", "arn:lb", json!({"type": "application", "internal": false,
            "subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"], "listeners": [listener(22, open)], "rules": [oidc]})));
        for group in [open, staff] {
            world.push((
                "aws.elbv2.target-group",
                group,
                json!({"load_balancer_arns": ["arn:lb"],
                "targets": [{"target": "i-1", "port": 80, "state": "healthy"}]}),
            ));
        }
        world
    };
    type Change<'c> = &'c dyn Fn(&mut Vec<Given>);
    let signed = Class::InternetAuthenticated;
    let lb = |w: &mut Vec<Given>, field: &str, value: Json| {
        let given = w.iter_mut().find(|g| g.1 == "arn:lb").expect("the balancer");
        given.2[field] = value;
    };
    let weighted = json!([{"rule_arn": oidc["rule_arn"], "actions": ["forward"], "weighted_groups": [open, staff]}]);
    type Want = (Class, Option<Class>);
    let cases: [(&str, Change<'_>, Want, Want); 9] = [
        ("its rule asks who it is", &|_| {}, (Class::Internet, None), (signed, None)),
        ("weights", &|w| lb(w, "rules", weighted.clone()), (Class::Internet, None), (Class::Internet, None)),
        ("no rule", &|w| lb(w, "rules", json!([])), (Class::Internet, None), (Class::Internal, None)),
        (
            "rules nobody read",
            &|w| lb(w, "rules", json!("?")),
            (Class::Internet, None),
            (Class::Unknown, Some(Class::Internet)),
        ),
        (
            "a listener whose port nothing admits",
            &|w| lb(w, "listeners", json!([listener(22, staff), listener(8080, open)])),
            (Class::Internal, None),
            (Class::Internet, None),
        ),
        (
            "not told where it sends",
            &|w| lb(w, "listeners", json!([{"port": 22, "actions": ["forward"], "listener_arn": LISTENER}])),
            (Class::Internet, None),
            (Class::Internet, None),
        ),
        ("private addresses", &|w| lb(w, "internal", json!(true)), (Class::Internal, None), (Class::Internal, None)),
        (
            "behind a balancer with public ones",
            &|w| {
                lb(w, "internal", json!(true));
                w.push(("aws.elbv2.load-balancer", "arn:nlb", json!({"type": "network", "internal": false,
                    "subnet_ids": ["subnet-1"], "security_group_ids": [], "listeners": [{"port": 443, "actions": ["forward"], "groups": ["arn:tg/alb"]}]})));
                w.push((
                    "aws.elbv2.target-group",
                    "arn:tg/alb",
                    json!({"load_balancer_arns": ["arn:nlb"],
                    "targets": [{"target": "arn:lb", "port": 443, "state": "healthy"}]}),
                ));
            },
            (Class::Internet, None),
            (signed, None),
        ),
        (
            "nothing registered",
            &|w| w.iter_mut().filter(|g| g.1 == staff).for_each(|g| g.2["targets"] = json!([])),
            (Class::Internet, None),
            (Class::Internal, None),
        ),
    ];
    for (what, change, first, second) in cases {
        println!("{what}");
        let mut world = base();
        change(&mut world);
        check(&world, open, first.0, first.1);
        check(&world, staff, second.0, second.1);
    }
}

#[test]
fn clusters_and_tasks() {
    let kind = "aws.eks.cluster";
    is(
        kind,
        &json!({}),
        json!({"endpoint_public": true, "public_cidrs": ["0.0.0.0/0"]}),
        Class::InternetAuthenticated,
        None,
    );
    is(kind, &json!({}), json!({"endpoint_public": true, "public_cidrs": ["203.0.113.0/28"]}), Class::Limited, None);
    is(kind, &json!({}), json!({"endpoint_public": false}), Class::Internal, None);
    is(kind, &json!({}), json!({"endpoint_public": "?"}), Class::Unknown, Some(Class::Internet));
    let base = json!({"public_ip": true, "subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]});
    is("aws.ecs.service", &base, json!({}), Class::Internet, None);
    is("aws.ecs.service", &base, json!({"public_ip": false}), Class::Internal, None);
}

#[test]
fn interfaces_of_programs() {
    let policy = |principal: Json, condition: Json| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "execute-api:Invoke", "Resource": "*", "Condition": condition}]});
    let base =
        json!({"endpoint_types": ["REGIONAL"], "methods": [{"http_method": "GET", "auth": "NONE", "api_key": false}]});
    let kind = "aws.apigateway.rest-api";
    is(kind, &base, json!({}), Class::Internet, None);
    is(kind, &base, json!({"endpoint_types": ["PRIVATE"]}), Class::Internal, None);
    is(
        kind,
        &base,
        json!({"methods": [{"http_method": "GET", "auth": "AWS_IAM"}]}),
        Class::InternetAuthenticated,
        None,
    );
    is(
        kind,
        &base,
        json!({"methods": [{"http_method": "GET", "auth": "NONE", "api_key": true}]}),
        Class::InternetAuthenticated,
        None,
    );
    is(
        kind,
        &base,
        json!({"policy": policy(json!("*"), json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))}),
        Class::Limited,
        None,
    );
    is(kind, &base, json!({"policy": policy(json!({"AWS": "222222222222"}), json!({}))}), Class::CrossAccount, None);
    is(kind, &base, json!({"policy": "?"}), Class::Unknown, Some(Class::Internet));
    is(
        "aws.apigatewayv2.api",
        &json!({}),
        json!({"routes": [{"key": "GET /", "auth": "NONE"}]}),
        Class::Internet,
        None,
    );
    is(
        "aws.apigatewayv2.api",
        &json!({}),
        json!({"routes": [{"key": "GET /", "auth": "JWT"}]}),
        Class::InternetAuthenticated,
        None,
    );
    is("aws.cloudfront.distribution", &json!({}), json!({"enabled": true}), Class::Internet, None);
    is("aws.cloudfront.distribution", &json!({}), json!({"signed_keys": true}), Class::InternetAuthenticated, None);
    is("aws.cloudfront.distribution", &json!({}), json!({"enabled": false}), Class::Internal, None);
}

#[test]
fn stores() {
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]});
    let domain = "aws.opensearch.domain";
    is(domain, &json!({}), json!({"policy": open}), Class::Internet, None);
    is(domain, &json!({}), json!({"policy": open, "fine_grained": true}), Class::InternetAuthenticated, None);
    is(domain, &json!({}), json!({"policy": open, "vpc": true}), Class::Internal, None);
    for kind in ["aws.rds.snapshot", "aws.rds.cluster-snapshot"] {
        is(kind, &json!({}), json!({"shared_with": ["all"]}), Class::InternetAuthenticated, None);
        is(kind, &json!({}), json!({"shared_with": ["222222222222"]}), Class::CrossAccount, None);
        is(kind, &json!({}), json!({"shared_with": []}), Class::Internal, None);
    }
    is("aws.efs.file-system", &json!({}), json!({"policy": open}), Class::Internal, None);
    is("aws.efs.file-system", &json!({}), json!({"policy": "?"}), Class::Unknown, Some(Class::CrossAccount));
}

#[test]
fn access_points_answer_when_the_bucket_lets_them() {
    let open = |condition: Json| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}]});
    let point = |network: &str| {
        (
            "aws.s3.access-point",
            "it",
            json!({"bucket": "b", "network_origin": network, "policy": open(json!({})), "restrict_public_buckets": false}),
        )
    };
    let bucket = |policy: Json| {
        (
            "aws.s3.bucket",
            "arn:aws:s3:::b",
            json!({"policy": policy, "restrict_public_buckets": false, "object_ownership": "BucketOwnerEnforced"}),
        )
    };
    let account = ("aws.s3.account", "acct", json!({"restrict_public_buckets": false}));
    let delegated = open(json!({"StringEquals": {"s3:DataAccessPointAccount": "111111111111"}}));
    check(&[account.clone(), bucket(delegated.clone()), point("Internet")], "it", Class::Internet, None);
    check(&[account.clone(), bucket(delegated), point("VPC")], "it", Class::Internal, None);
    check(&[account.clone(), bucket(Json::Null), point("Internet")], "it", Class::Internal, None);
    check(&[account, point("Internet")], "it", Class::Unknown, Some(Class::Internet));
}

#[test]
fn shares_and_registries() {
    let base = json!({"resources": [{"arn": "arn:aws:ec2:us-east-1:111111111111:subnet/s"}], "principals": []});
    let kind = "aws.ram.resource-share";
    let with = |id: &str| json!({"principals": [{"principal": id, "state": "ASSOCIATED"}]});
    is(kind, &base, json!({}), Class::Internal, None);
    is(kind, &base, with("222222222222"), Class::CrossAccount, None);
    is(kind, &base, with("999999999999"), Class::CrossAccount, None);
    is(kind, &base, with("arn:aws:organizations::111111111111:ou/o-1/ou-1"), Class::CrossAccount, None);
    is(kind, &base, with("arn:aws:iam::111111111111:role/r"), Class::Internal, None);
    is(kind, &base, json!({"principals": [{"principal": "999999999999", "state": "FAILED"}]}), Class::Internal, None);
    let mut gone = with("999999999999");
    gone["status"] = json!("DELETED");
    is(kind, &base, gone, Class::Internal, None);
    is(kind, &base, json!({"principals": "?"}), Class::Unknown, Some(Class::CrossAccount));
    is("aws.ecr-public.repository", &json!({"uri": "public.ecr.aws/x/y"}), json!({}), Class::Internet, None);
    let image = json!({"public": false, "launch_permissions": []});
    let kind = "aws.ec2.image";
    is(kind, &image, json!({}), Class::Internal, None);
    is(kind, &image, json!({"public": true}), Class::InternetAuthenticated, None);
    is(kind, &image, json!({"launch_permissions": [{"user_id": "999999999999"}]}), Class::CrossAccount, None);
    is(kind, &image, json!({"launch_permissions": [{"user_id": "111111111111"}]}), Class::Internal, None);
    is(kind, &image, json!({"launch_permissions": "?"}), Class::Unknown, Some(Class::CrossAccount));
}
