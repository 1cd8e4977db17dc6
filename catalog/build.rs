//! Reads the catalog's files when the crate is built, and packs what they say into the bytes the crate embeds.

use entry::{Entry, File};
use framework::Framework;
use kind::Kind;
use page::Rule;
use path::{Path, PathError};
use problem::Problem;
use std::{env, fs, io, path::PathBuf};
use types::Type;

// The crate's own readers: what is packed is what they read.
macro_rules! readers {
    ($($file:literal $name:ident),+) => {$(
        #[path = $file]
        #[allow(dead_code, unreachable_pub, unused_imports, reason = "only the readers are used here")]
        mod $name;
    )+};
}
readers!(
    "src/aliases.rs" aliases, "src/entry.rs" entry, "src/framework.rs" framework, "src/kind.rs" kind, "src/pack.rs" pack, "src/page.rs" page,
    "src/path.rs" path, "src/problem.rs" problem, "src/text.rs" text, "src/types.rs" types
);

/// The texts are not embedded yet while they are gathered.
mod bundled {
    pub(crate) static TEXTS: &[u8] = &[];
}

fn main() -> io::Result<()> {
    // Asked when it runs: a target folder may have been built somewhere else and moved here.
    let variable = |name: &str| env::var_os(name).ok_or_else(|| io::Error::other(format!("{name} is not set")));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    let mut files = Vec::new();
    for top in ["aws", "azure", "gcp", "assess", "frameworks"] {
        // A folder that is not there would make every build a changed one.
        if root.join(top).exists() {
            println!("cargo::rerun-if-changed={top}");
        }
        collect(&root.join(top), &mut files)?;
    }
    println!("cargo::rerun-if-changed=topics.toml");
    let topics = root.join("topics.toml");
    if topics.exists() {
        files.push(topics);
    }
    if files.is_empty() {
        return Err(io::Error::other(format!("there is no catalog below {}", root.display())));
    }
    files.sort();
    let (mut pack, mut frameworks) = (pack::Pack::default(), Vec::new());
    for file in files {
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file)?;
        match Entry::read(File { path: &path, text: &text }) {
            Ok(Entry::Kind(kind)) => pack.kinds.push(kind),
            Ok(Entry::Rule(rule)) => pack.rules.push(rule),
            Ok(Entry::Framework(framework)) => frameworks.push(framework),
            Ok(Entry::Topics(topics)) => pack.topics.extend(topics),
            Ok(Entry::None) => {}
            Err(_) => pack.wrong.push((path.into(), text.into())),
        }
    }
    let (catalog, texts) = pack.write().map_err(io::Error::other)?;
    let frameworks = pack::write_frameworks(&frameworks).map_err(io::Error::other)?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    for (name, bytes) in [("catalog.pack", catalog), ("texts", texts), ("frameworks.pack", frameworks)] {
        fs::write(out.join(name), bytes)?;
    }
    Ok(())
}

fn collect(dir: &std::path::Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    println!("cargo::rerun-if-changed={}", dir.display());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if !name.starts_with(['_', '.']) && name != "answers" {
                collect(&entry.path(), files)?;
            }
        } else if name.ends_with(".md") || name.ends_with(".toml") {
            files.push(entry.path());
        }
    }
    Ok(())
}
