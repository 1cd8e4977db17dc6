//! Reads every template under a folder: one JSON line a resource on standard output, problems and timing on standard
//! error. `read_templates FOLDER [--quiet]`.

use plumb_iac::{Entry, Files, show, templates};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        std::fs::read(self.0.join(path)).ok().map(Arc::from)
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let Ok(entries) = std::fs::read_dir(self.0.join(folder)) else { return Vec::new() };
        let mut out: Vec<Entry> = entries
            .flatten()
            .filter_map(|e| {
                let kind = e.file_type().ok().filter(|t| !t.is_symlink())?;
                Some(Entry { name: e.file_name().into_string().ok()?, folder: kind.is_dir() })
            })
            .collect();
        out.sort();
        out
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: read_templates FOLDER [--quiet]");
        std::process::exit(2);
    };
    let quiet = args.any(|a| a == "--quiet");
    let files = Folder(folder.into());
    let started = Instant::now();
    let reading = templates::read(&files);
    let took = started.elapsed();
    if !quiet {
        for line in show(&reading) {
            println!("{line}");
        }
        for problem in &reading.problems {
            eprintln!("{:?}: {problem}", problem.severity);
        }
    }
    let bytes: usize = reading.sources.files().map(|f| f.text.len()).sum();
    eprintln!(
        "{} files, {bytes} bytes, {} resources, {} problems in {took:?}",
        reading.sources.files().len(),
        reading.resources.len(),
        reading.problems.len()
    );
}
