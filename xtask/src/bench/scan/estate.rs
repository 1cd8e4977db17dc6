//! An endpoint that answers as an organisation of any size would: lists in pages, details per item, the rest empty.
//!
//! Nothing is kept: each answer is made from the number of its items, so that what is measured is the client.

use serde_json::json;
use std::{
    fmt::Write as _,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// The access key of the management account.
pub const KEY: &str = "AKIAMANAGEMENT";
const FIRST_ACCOUNT: usize = 300_000_000_000;
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
/// Items a page, whatever was asked for: small, as large organisations see them.
const PAGE: usize = 100;

static ACCOUNTS: AtomicUsize = AtomicUsize::new(1);
static EACH: AtomicUsize = AtomicUsize::new(1000);

/// From now on there are this many accounts, each with this many resources.
pub fn set(accounts: usize, each: usize) {
    ACCOUNTS.store(accounts, Ordering::Relaxed);
    EACH.store(each, Ordering::Relaxed);
}

/// Of a hundred resources, how many are of a list (in both regions together).
fn share(list: &str) -> usize {
    let percent = match list {
        "DescribeSecurityGroups" | "DescribeVolumes" => 25,
        "DescribeLogGroups" => 20,
        "GetAccountAuthorizationDetails" | "ListQueues" => 10,
        "ListTables" | "ListFunctions" => 5,
        _ => 0,
    };
    let all = EACH.load(Ordering::Relaxed) * percent / 100;
    if list == "GetAccountAuthorizationDetails" { all } else { all / REGIONS.len() }
}

/// Listens and answers until this process ends.
pub fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(stream));
        }
    });
    Ok(())
}

#[derive(Default)]
struct Request {
    method: String,
    path: String,
    key: String,
    region: String,
    service: String,
    target: String,
    body: String,
}

fn converse(stream: TcpStream) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let (status, body) = answer(&request);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        writer.write_all(head.as_bytes())?;
        writer.write_all(body.as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut request = Request::default();
    let (mut line, mut length) = (String::new(), 0);
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    request.method = words.next().unwrap_or_default().into();
    request.path = words.next().unwrap_or_default().into();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "x-amz-target" => request.target = value.trim().rsplit('.').next().unwrap_or_default().into(),
            "authorization" => {
                let scope = value.split_once("Credential=").map_or("", |(_, rest)| rest);
                let mut parts = scope.split(['/', ',']);
                request.key = parts.next().unwrap_or_default().into();
                request.region = parts.nth(1).unwrap_or_default().into();
                request.service = parts.next().unwrap_or_default().into();
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}

impl Request {
    /// A member of a form or JSON body, or of the query; as text.
    fn member(&self, name: &str) -> String {
        if self.body.starts_with('{') {
            let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
            return body[name].as_str().unwrap_or_default().into();
        }
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = self.body.split('&').chain(query.split('&')).filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map_or_else(String::new, |(_, value)| value.replace("%3A", ":").replace("%2F", "/"))
    }

    fn account(&self) -> String {
        self.key.strip_prefix("ASIA").map_or_else(|| FIRST_ACCOUNT.to_string(), str::to_owned)
    }
}

/// The items of a page of `list`, and where the next page begins.
fn page(list: &str, token: &str) -> (std::ops::Range<usize>, Option<usize>) {
    let from = token.parse().unwrap_or(0);
    let (all, to) = (share(list), from + PAGE);
    (from..to.min(all), (to < all).then_some(to))
}

fn xml_list(operation: &str, inside: &str) -> String {
    format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>")
}

fn answer(r: &Request) -> (u16, String) {
    let (account, region) = (r.account(), &r.region);
    let form = r.member("Action");
    let operation = match (r.target.is_empty(), form.is_empty()) {
        (false, _) => r.target.as_str(),
        (_, false) => form.as_str(),
        _ => "",
    };
    let said = match operation {
        "GetCallerIdentity" => xml_list(
            operation,
            &format!("<Account>{account}</Account><Arn>arn:aws:iam::{account}:user/auditor</Arn><UserId>A</UserId>"),
        ),
        "AssumeRole" => {
            let role = r.member("RoleArn");
            let into = role.split(':').nth(4).unwrap_or_default();
            xml_list(
                operation,
                &format!(
                    "<Credentials><AccessKeyId>ASIA{into}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                ),
            )
        }
        "DescribeRegions" => {
            let items: String = REGIONS
                .iter()
                .map(|r| {
                    format!("<item><regionName>{r}</regionName><optInStatus>opt-in-not-required</optInStatus></item>")
                })
                .collect();
            format!("<DescribeRegionsResponse><regionInfo>{items}</regionInfo></DescribeRegionsResponse>")
        }
        "DescribeOrganization" => {
            json!({ "Organization": { "Id": "o-bench", "MasterAccountId": FIRST_ACCOUNT.to_string() } }).to_string()
        }
        "ListAccounts" => {
            let one = |n: usize| json!({ "Id": (FIRST_ACCOUNT + n).to_string(), "Name": format!("team-{n:04}"), "Status": "ACTIVE" });
            json!({ "Accounts": (0..ACCOUNTS.load(Ordering::Relaxed)).map(one).collect::<Vec<_>>() }).to_string()
        }
        "DescribeSecurityGroups" => {
            let (items, next) = page(operation, &r.member("NextToken"));
            ec2(operation, "securityGroupInfo", next, items, |n, out| {
                let from = if n % 7 == 0 { "0.0.0.0/0" } else { "10.0.0.0/16" };
                let _ = write!(
                    out,
                    "<ownerId>{account}</ownerId><groupId>sg-{n:017x}</groupId><groupName>service-{n}</groupName><groupDescription>managed by the platform team</groupDescription><vpcId>vpc-{:017x}</vpcId><ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>{}</fromPort><toPort>{}</toPort><ipRanges><item><cidrIp>{from}</cidrIp><description>clients</description></item></ipRanges></item></ipPermissions><ipPermissionsEgress><item><ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissionsEgress><tagSet><item><key>owner</key><value>team-{}</value></item></tagSet>",
                    n / 200,
                    20 + n % 5000,
                    20 + n % 5000,
                    n % 40
                );
            })
        }
        "DescribeVolumes" => {
            let (items, next) = page(operation, &r.member("NextToken"));
            ec2(operation, "volumeSet", next, items, |n, out| {
                let _ = write!(
                    out,
                    "<volumeId>vol-{n:017x}</volumeId><size>100</size><snapshotId/><availabilityZone>{region}a</availabilityZone><status>in-use</status><createTime>2024-01-01T00:00:00.000Z</createTime><volumeType>gp3</volumeType><encrypted>{}</encrypted><attachmentSet><item><instanceId>i-{n:017x}</instanceId><device>/dev/sda1</device><status>attached</status></item></attachmentSet><tagSet><item><key>owner</key><value>team-{}</value></item></tagSet>",
                    n % 3 > 0,
                    n % 40
                );
            })
        }
        "DescribeLogGroups" => {
            let (items, next) = page(operation, &r.member("nextToken"));
            let groups: Vec<_> = items.map(|n| json!({ "logGroupName": format!("/service/{n}"), "creationTime": 1_700_000_000_000_u64, "retentionInDays": if n % 4 == 0 { 7 } else { 400 }, "metricFilterCount": 0, "storedBytes": 1234, "arn": format!("arn:aws:logs:{region}:{account}:log-group:/service/{n}:*") })).collect();
            with_token(json!({ "logGroups": groups }), "nextToken", next)
        }
        "ListQueues" => {
            let (items, next) = page(operation, &r.member("NextToken"));
            let queues: Vec<String> =
                items.map(|n| format!("https://sqs.{region}.amazonaws.com/{account}/queue-{n}")).collect();
            with_token(json!({ "QueueUrls": queues }), "NextToken", next)
        }
        "GetQueueAttributes" => {
            let url = r.member("QueueUrl");
            let name = url.rsplit('/').next().unwrap_or_default();
            json!({ "Attributes": { "QueueArn": format!("arn:aws:sqs:{region}:{account}:{name}"), "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30", "Policy": format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sqs:*","Resource":"*"}}]}}"#) } }).to_string()
        }
        "ListTables" => {
            let (items, next) = page(operation, r.member("ExclusiveStartTableName").trim_start_matches("table-"));
            let tables: Vec<String> = items.map(|n| format!("table-{n}")).collect();
            let mut said = json!({ "TableNames": tables });
            if let Some(next) = next {
                said["LastEvaluatedTableName"] = json!(format!("table-{next}"));
            }
            said.to_string()
        }
        "DescribeTable" => {
            let name = r.member("TableName");
            json!({ "Table": { "TableName": name, "TableArn": format!("arn:aws:dynamodb:{region}:{account}:table/{name}"), "TableStatus": "ACTIVE", "DeletionProtectionEnabled": name.ends_with('3'), "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" } } }).to_string()
        }
        "GetAccountAuthorizationDetails" => {
            let (items, next) = page(operation, &r.member("Marker"));
            let mut out = String::from("<RoleDetailList>");
            for n in items {
                let _ = write!(
                    out,
                    "<member><Path>/</Path><RoleName>role-{n}</RoleName><RoleId>AROA{n:016}</RoleId><Arn>arn:aws:iam::{account}:role/role-{n}</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D</AssumeRolePolicyDocument><RolePolicyList><member><PolicyName>inline</PolicyName><PolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Adata-{n}%2F%2A%22%7D%5D%7D</PolicyDocument></member></RolePolicyList><AttachedManagedPolicies/><InstanceProfileList/><Tags/></member>"
                );
            }
            let more = next.map_or_else(
                || "<IsTruncated>false</IsTruncated>".to_owned(),
                |n| format!("<IsTruncated>true</IsTruncated><Marker>{n}</Marker>"),
            );
            xml_list(operation, &format!("{out}</RoleDetailList>{more}"))
        }
        "" if r.service == "lambda" && r.method == "GET" => return lambda(r, &account),
        "" if matches!(r.service.as_str(), "s3" | "cloudfront" | "route53") => "<Nothing/>".into(),
        "" => "{}".into(),
        _ if !r.target.is_empty() => "{}".into(),
        _ => xml_list(operation, ""),
    };
    (200, said)
}

fn lambda(r: &Request, account: &str) -> (u16, String) {
    let path = r.path.split('?').next().unwrap_or_default();
    if path.trim_end_matches('/') != "/2015-03-31/functions" {
        return (404, json!({ "Type": "User", "Code": "ResourceNotFoundException", "__type": "ResourceNotFoundException", "message": "there is none" }).to_string());
    }
    let (items, next) = page("ListFunctions", &r.member("Marker"));
    let functions: Vec<_> = items
        .map(|n| json!({ "FunctionName": format!("function-{n}"), "FunctionArn": format!("arn:aws:lambda:{}:{account}:function:function-{n}", r.region), "Runtime": "python3.12", "Role": format!("arn:aws:iam::{account}:role/role-{n}"), "Handler": "index.handler", "Timeout": 30, "MemorySize": 128, "TracingConfig": { "Mode": "PassThrough" }, "Environment": { "Variables": { "STAGE": "production" } } }))
        .collect();
    (200, with_token(json!({ "Functions": functions }), "NextMarker", next))
}

fn with_token(mut said: serde_json::Value, name: &str, next: Option<usize>) -> String {
    if let Some(next) = next {
        said[name] = json!(next.to_string());
    }
    said.to_string()
}

fn ec2(
    operation: &str,
    set: &str,
    next: Option<usize>,
    items: impl Iterator<Item = usize>,
    write: impl Fn(usize, &mut String),
) -> String {
    let mut out = format!("<{operation}Response><{set}>");
    for n in items {
        out.push_str("<item>");
        write(n, &mut out);
        out.push_str("</item>");
    }
    let _ = write!(out, "</{set}>");
    if let Some(next) = next {
        let _ = write!(out, "<nextToken>{next}</nextToken>");
    }
    let _ = write!(out, "</{operation}Response>");
    out
}
