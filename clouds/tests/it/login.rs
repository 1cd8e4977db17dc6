//! Sign-in by the official sources. The environment of a process cannot be changed safely from inside, so each case
//! runs this test binary again with the environment it is about.

use crate::server::{Say, Server};
use plumb_clouds::{
    Answer, Budgets, Call, Share, Target, Wire,
    aws::{self, Client, Config, Endpoints},
    http,
};
use serde_json::json;
use std::{process::Command, sync::Arc};

const IDENTITY: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>\
                        </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// Runs [`child`] in an environment; the server's script sees what it was signed with.
async fn signed_with(config: &str, variables: &[(&str, &str)]) -> (String, Vec<String>) {
    let server = Server::start(|_, request| {
        if request.body.contains("Action=AssumeRole&") {
            return Say::ok(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                 <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            );
        }
        Say::ok(IDENTITY)
    })
    .await;
    let folder = std::env::temp_dir().join(format!("plumb-login-{}", server.url.rsplit(':').next().expect("a port")));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("config"), config).expect("a file");
    std::fs::write(folder.join("credentials"), "").expect("a file");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "login::child", "--ignored", "--nocapture"]);
    for name in
        ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "HTTP_PROXY"]
    {
        command.env_remove(name);
    }
    command
        .env("AWS_CONFIG_FILE", folder.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.join("credentials"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", &server.url)
        .envs(variables.iter().copied());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("this test runs");
    let _ = std::fs::remove_dir_all(folder);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let bodies = server.requests().iter().map(|request| request.body.clone()).collect();
    let last = server.requests().last().map(|request| request.header("authorization").to_owned());
    (last.unwrap_or(text), bodies)
}

/// What each case does: sign in with what the environment says, and ask who we are.
#[tokio::test]
#[ignore = "run by the other tests of this module, with an environment"]
async fn child() {
    let endpoints = Endpoints::from_variables(std::env::vars());
    let options = http::Options::default();
    let login = aws::login(&http::Http::new(options), None, None).await.expect("a login");
    let region = login.region.expect("a region");
    let budgets = Arc::new(Budgets::new(Share::Unlimited, 1));
    let client = Client::new(Config { endpoints, budgets, ..Config::default() }).expect("the committed table");
    client.enter("123456789012".into(), login.session, &region);
    let call = Call::new("sts", "GetCallerIdentity", json!({}));
    let answer = client.send(&Target::new("123456789012", &region), &call).await;
    assert_eq!(answer, Answer::Page { page: json!({"Account": "123456789012"}) });
}

#[tokio::test]
async fn keys_of_the_environment() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-3")];
    let (signed, _) = signed_with("", &keys).await;
    assert!(signed.contains("Credential=AKIAENV/") && signed.contains("/eu-west-3/sts/"), "{signed}");
}

#[tokio::test]
async fn a_profile_with_a_process() {
    let config = "[profile work]\nregion = eu-north-1\n\
        credential_process = printf '{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"s\"}'\n";
    let (signed, _) = signed_with(config, &[("AWS_PROFILE", "work")]).await;
    assert!(signed.contains("Credential=AKIAPROCESS/") && signed.contains("/eu-north-1/sts/"), "{signed}");
}

#[tokio::test]
async fn a_profile_that_assumes_a_role() {
    let config = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n\
        [profile reader]\nregion = eu-north-1\nsource_profile = base\nexternal_id = shared\nrole_session_name = audit\n\
        role_arn = arn:aws:iam::123456789012:role/Reader\n";
    let (signed, bodies) = signed_with(config, &[("AWS_PROFILE", "reader")]).await;
    assert!(signed.contains("Credential=ASIAROLE/"), "{signed}");
    assert!(bodies[0].contains("ExternalId=shared") && bodies[0].contains("RoleSessionName=audit"), "{bodies:?}");
}

#[tokio::test]
async fn calls_go_through_the_proxy_of_the_environment() {
    let proxy = Server::start(|_, _| Say::error(502, "")).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ENDPOINT_URL", ""),
        ("HTTPS_PROXY", proxy.url.as_str()),
        ("NO_PROXY", ""),
    ];
    signed_with("", &variables).await;
    let asked = proxy.requests();
    let first = asked.first().expect("a request to the proxy");
    assert_eq!((first.method.as_str(), first.path.as_str()), ("CONNECT", "sts.eu-west-3.amazonaws.com:443"));
}
