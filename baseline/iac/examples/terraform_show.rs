//! Evaluates the Terraform below a folder and prints problems and counts: `terraform_show FOLDER [--json]`.

use plumb_iac::terraform::{Options, read};
use plumb_iac::{Entry, Files};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

struct Disk(PathBuf);

impl Files for Disk {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        std::fs::read(self.0.join(path)).ok().map(Arc::from)
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let mut out: Vec<Entry> = (std::fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten())
            .map(|e| Entry { name: e.file_name().to_string_lossy().into_owned(), folder: e.path().is_dir() })
            .collect();
        out.sort();
        out
    }
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let reading = read(&Disk(folder.into()), &Options::default());
    if std::env::args().any(|a| a == "--json") {
        plumb_iac::show(&reading).for_each(|line| println!("{line}"));
        return;
    }
    reading.problems.iter().for_each(|p| println!("{p}"));
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for code in &reading.resources {
        code.attrs.walk("", 0, &mut |_, v| {
            if let Some(why) = v.why() {
                *reasons.entry(why.kind.name()).or_default() += 1;
            }
        });
    }
    println!(
        "{} resources, {} problems, {} files, unknown: {reasons:?}",
        reading.resources.len(),
        reading.problems.len(),
        reading.sources.files().len()
    );
}
