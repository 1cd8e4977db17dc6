//! The language against what Terraform itself answers.

use super::encoding::json_text;
use crate::source::MemoryFiles;
use crate::terraform::eval::Env;
use crate::terraform::parse::parse_expr;
use crate::terraform::world::World;

fn evaluate(text: &str) -> Result<String, String> {
    let files = MemoryFiles::default();
    let mut world = World::new(&files);
    let (file, source) = world.sources.add("test", text.as_bytes());
    let expr = parse_expr(&source, file).map_err(|e| format!("syntax: {}", e.message))?;
    let mut env = Env { closed: true, ..Env::default() };
    let val = world.eval(&mut env, &expr).map_err(|f| f.message().to_owned())?;
    Ok(json_text(&val).unwrap_or_else(|| val.describe()))
}

#[test]
fn expressions_give_what_terraform_gives() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("cases.tsv").lines().filter(|l| !l.starts_with('#')) {
        let (expr, expected) = line.split_once('\t').unwrap();
        count += 1;
        match evaluate(expr) {
            Ok(found) if found == expected => {}
            Err(_) if expected == "ERROR" => {}
            found => wrong.push(format!("{expr}\n   found    {found:?}\n   expected {expected}")),
        }
    }
    assert!(count > 100);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn hostile_arguments_are_refused() {
    for expr in [
        "range(1000000000)",
        "setproduct(range(1000), range(1000), range(1000))",
        "cidrsubnets(\"10.0.0.0/8\", -1)",
        "cidrsubnet(\"::/0\", 128, 1) == 1 ? 1 / 0 : 1 / 0",
        "parseint(\"zz\", 99)",
        "replace(replace(replace(format(\"%4000s\", \"x\"), \" \", format(\"%4000s\", \"y\")), \" \", \"zzzzzzzzzz\"), \"z\", \"aaaaaaaaaa\")",
        "formatdate(\"'\", \"2020-01-01T00:00:00Z\")",
        "timeadd(\"2020-01-01T00:00:00Z\", \"99999999999999h\")",
        "regex(\"(((((a{1,99}){1,99}){1,99}){1,99}){1,99})\", \"a\")",
        "substr(\"a\", 9223372036854775807, 9223372036854775807) / 1",
        "nothing(1)",
    ] {
        assert!(evaluate(expr).is_err(), "{expr} gave {:?}", evaluate(expr));
    }
}

#[test]
fn every_pure_function_is_there() {
    // The functions of Terraform 1.11 (`terraform metadata functions -json`).
    let names = "abs abspath alltrue anytrue base64decode base64encode base64gzip base64sha256 base64sha512 basename \
        bcrypt can ceil chomp chunklist cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist compact concat \
        contains csvdecode dirname distinct element endswith ephemeralasnull file filebase64 filebase64sha256 \
        filebase64sha512 fileexists filemd5 fileset filesha1 filesha256 filesha512 flatten floor format formatdate \
        formatlist indent index issensitive join jsondecode jsonencode keys length log lookup lower matchkeys max md5 \
        merge min nonsensitive one parseint pathexpand plantimestamp pow range regex regexall replace reverse rsadecrypt \
        sensitive setintersection setproduct setsubtract setunion sha1 sha256 sha512 signum slice sort split startswith \
        strcontains strrev substr sum templatefile templatestring textdecodebase64 textencodebase64 timeadd timecmp \
        timestamp title tobool tolist tomap tonumber toset tostring transpose trim trimprefix trimspace trimsuffix try \
        upper urlencode uuid uuidv5 values yamldecode yamlencode zipmap";
    let mut count = 0;
    for name in names.split_whitespace() {
        count += 1;
        if let Err(message) = evaluate(&format!("{name}()")) {
            assert!(!message.contains("there is no function"), "{name}: {message}");
        }
    }
    assert_eq!(count, 118);
}
