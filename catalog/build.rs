//! Packs the catalog's data files into one text that the crate embeds. Frameworks, the largest, are packed as JSON: it
//! is read several times faster than TOML, each time the program starts.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    // Asked when it runs: a target folder may have been built somewhere else and moved here.
    let root =
        std::env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| io::Error::other("CARGO_MANIFEST_DIR is not set"))?;
    let root = Path::new(&root);
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
    let mut pack = String::new();
    for file in files {
        let mut name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let mut text = fs::read_to_string(&file)?;
        if name.starts_with("frameworks/") {
            // What is not TOML stays as it is, and is reported where it is read.
            if let Ok(json) = toml::from_str::<serde_json::Value>(&text) {
                text = json.to_string();
                name = name.replace(".toml", ".json");
            }
        }
        // Record and unit separators cannot stand in a catalog file.
        if text.contains(['\u{1e}', '\u{1f}']) {
            return Err(io::Error::other(format!("{name} holds a control character")));
        }
        pack.push_str(&name);
        pack.push('\u{1f}');
        pack.push_str(&text);
        pack.push('\u{1e}');
    }
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("catalog.pack"), pack)
}

fn collect(dir: &Path, files: &mut Vec<std::path::PathBuf>) -> io::Result<()> {
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
