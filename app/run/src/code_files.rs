//! Where code is read from: a folder on disk that is never left, or a commit of a git repository.

use plumb_iac::{Entry, Files, Reading, Span, templates, terraform};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

/// A file beyond this size is no code anybody wrote.
const MAX_BYTES: u64 = 256 << 20;

/// The files of a folder on disk. Links that lead out of it lead nowhere.
#[derive(Debug)]
pub struct DiskFiles {
    root: PathBuf,
}

impl DiskFiles {
    /// The files below `root`, which must be there.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub fn new(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    fn inside(&self, path: &str) -> Option<PathBuf> {
        let whole = self.root.join(path).canonicalize().ok()?;
        whole.starts_with(&self.root).then_some(whole)
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        let path = self.inside(path)?;
        let about = path.metadata().ok()?;
        if !about.is_file() || about.len() > MAX_BYTES {
            return None;
        }
        std::fs::read(path).ok().map(Arc::from)
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let Some(entries) = self.inside(folder).and_then(|path| std::fs::read_dir(path).ok()) else {
            return Vec::new();
        };
        let mut out: Vec<Entry> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                // A linked folder is read where something names it, and not walked into: it may lead in circles.
                let kind = entry.file_type().ok()?;
                let folder = kind.is_dir();
                let linked_folder = kind.is_symlink() && entry.path().is_dir();
                (name != ".git" && !linked_folder).then_some(Entry { name, folder })
            })
            .collect();
        out.sort();
        out
    }
}

/// One file that came through a pipe.
#[derive(Debug)]
pub struct PipedFile(pub Arc<[u8]>);

impl PipedFile {
    /// What it is called in messages.
    pub const NAME: &'static str = "(standard input)";
}

impl Files for PipedFile {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        (path == Self::NAME).then(|| self.0.clone())
    }

    fn list(&self, _: &str) -> Vec<Entry> {
        Vec::new()
    }
}

/// The files of a commit, read through `git cat-file` without touching the working tree.
#[derive(Debug)]
pub struct GitFiles {
    /// Object ids by path.
    objects: BTreeMap<String, String>,
    reader: Mutex<Child>,
}

impl GitFiles {
    /// The files of the last commit that `reference` and the working tree share.
    ///
    /// # Errors
    /// What git said.
    pub fn open(repository: &Path, reference: &str) -> Result<Self, String> {
        if reference.starts_with('-') {
            return Err(format!("`{reference}` is not a commit"));
        }
        let git = |args: &[&str]| -> Result<Vec<u8>, String> {
            let out = Command::new("git")
                .arg("-C")
                .arg(repository)
                .args(args)
                .output()
                .map_err(|e| format!("cannot run git: {e}"))?;
            match out.status.success() {
                true => Ok(out.stdout),
                false => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            }
        };
        let base = match git(&["merge-base", "HEAD", reference]) {
            Ok(out) => String::from_utf8_lossy(&out).trim().to_owned(),
            Err(_) => reference.to_owned(),
        };
        let listing = git(&["ls-tree", "-r", "-z", "--full-tree", &base])?;
        let mut objects = BTreeMap::new();
        for row in listing.split(|b| *b == 0) {
            let row = String::from_utf8_lossy(row);
            // `100644 blob <id>\t<path>`; a link's blob holds its target and is not a file of ours.
            let Some((about, path)) = row.split_once('\t') else { continue };
            let mut about = about.split(' ');
            if let (Some("100644" | "100755"), Some("blob"), Some(id)) = (about.next(), about.next(), about.next()) {
                objects.insert(path.to_owned(), id.to_owned());
            }
        }
        let reader = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot run git: {e}"))?;
        Ok(Self { objects, reader: Mutex::new(reader) })
    }
}

impl Drop for GitFiles {
    fn drop(&mut self) {
        if let Ok(child) = self.reader.get_mut() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Files for GitFiles {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        let id = self.objects.get(path)?;
        let mut child = self.reader.lock().ok()?;
        let stdin = child.stdin.as_mut()?;
        writeln!(stdin, "{id}").ok()?;
        stdin.flush().ok()?;
        // Exactly one answer is outstanding, so the buffer holds nothing that belongs to the next.
        let mut out = BufReader::new(child.stdout.as_mut()?);
        let mut header = String::new();
        out.read_line(&mut header).ok()?;
        let size: usize = header.trim().rsplit(' ').next()?.parse().ok()?;
        let mut bytes = vec![0; size + 1];
        out.read_exact(&mut bytes).ok()?;
        bytes.truncate(size);
        Some(bytes.into())
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut out: Vec<Entry> = Vec::new();
        for path in self.objects.range(prefix.clone()..).map(|(p, _)| p) {
            let Some(rest) = path.strip_prefix(&prefix) else { break };
            let (name, folder) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
            let entry = Entry { name: name.to_owned(), folder };
            if out.last() != Some(&entry) {
                out.push(entry);
            }
        }
        out.sort();
        out.dedup();
        out
    }
}

/// The files of a repository as a walk from the root sees them that is to reach only one folder: on the way there only
/// the way is shown. Whatever is named outright is still found, such as the modules beside the folder.
struct Narrowed<'a> {
    files: &'a dyn Files,
    folder: &'a str,
}

impl Files for Narrowed<'_> {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        self.files.read(path)
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let entries = self.files.list(folder);
        let rest = if folder.is_empty() {
            Some(self.folder)
        } else {
            self.folder.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'))
        };
        match rest.and_then(|rest| rest.split('/').next()).filter(|next| !next.is_empty()) {
            Some(next) => entries.into_iter().filter(|e| !e.folder || e.name == next).collect(),
            None => entries,
        }
    }
}

/// Reads all code at `target` (a folder, or one file; `""` is everything) below the root of `files`.
///
/// # Errors
/// A file that is none of the languages.
pub fn read_code(
    files: &dyn Files,
    target: &str,
    is_file: bool,
    options: &terraform::Options,
) -> Result<Vec<Reading>, String> {
    if !is_file {
        let narrowed = Narrowed { files, folder: target };
        let mut all = vec![terraform::read(&narrowed, options), templates::read(&narrowed)];
        let below = |path: &str| {
            target.is_empty() || path == target || path.strip_prefix(target).is_some_and(|r| r.starts_with('/'))
        };
        for reading in &mut all {
            // A module that code above the folder calls is judged as it is called.
            let Reading { resources, sources, .. } = &mut *reading;
            let file_of = |span: Span| sources.file(span.file).map(|f| &*f.path);
            resources.retain(|code| below(&code.root) || file_of(code.header).is_some_and(below));
            let roots: Vec<String> = reading.resources.iter().map(|c| c.root.to_string()).collect();
            // What is wrong above the folder matters only when something here uses it.
            reading.problems.retain(|p| below(&p.place.file) || (p.place.file.contains('/') && !roots.is_empty()));
        }
        // One that is called for nothing is asked about all the same.
        if !target.is_empty() && all.iter().all(|reading| reading.resources.is_empty()) {
            let options = terraform::Options { roots: vec![target.to_owned()], ..options.clone() };
            let mut alone = terraform::read(files, &options);
            alone.problems.retain(|problem| !all.iter().any(|reading| reading.problems.contains(problem)));
            all.push(alone);
        }
        return Ok(all);
    }
    let bytes = files.read(target).ok_or_else(|| format!("cannot read `{target}`"))?;
    let name = target.rsplit('/').next().unwrap_or(target);
    if [".tf", ".tf.json", ".tofu", ".tofu.json"].iter().any(|ext| name.ends_with(ext)) {
        let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut reading =
            terraform::read(files, &terraform::Options { roots: vec![folder.to_owned()], ..options.clone() });
        let file_of = |span| reading.sources.file(span).map(|f| f.path.to_string()).unwrap_or_default();
        let keep: Vec<bool> = reading
            .resources
            .iter()
            .map(|code| file_of(code.module.first().map_or(code.header.file, |call| call.span.file)) == target)
            .collect();
        let mut keep = keep.into_iter();
        reading.resources.retain(|_| keep.next().unwrap_or(true));
        return Ok(vec![reading]);
    }
    if name != PipedFile::NAME
        && let Some(template) = templates::detect(target, &bytes)
    {
        return Ok(vec![templates::read_these(files, &BTreeMap::from([(target.to_owned(), template)]))]);
    }
    let looks_like_json = bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b == b'{');
    if terraform::is_plan_or_state(&bytes) || (name == PipedFile::NAME && looks_like_json) {
        return Ok(vec![terraform::read_plan(files, target, options)]);
    }
    Err(format!("`{target}` is neither Terraform (configuration, plan or state), CloudFormation, ARM nor Bicep"))
}
