//! Where code is read from: a folder on disk that is never left, or a commit of a git repository.

use plumb_iac::{Entry, Files, Place, Problem, ProblemSeverity, Reading, Span, templates, terraform};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, ErrorKind, Read, Write},
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
    /// What is there and could not be read, and why: a folder nobody may enter must not look like an empty one.
    unread: Mutex<BTreeMap<String, String>>,
}

impl DiskFiles {
    /// The files below `root`, which must be there.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub fn new(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: root.canonicalize()?, unread: Mutex::default() })
    }

    fn inside(&self, path: &str) -> Option<PathBuf> {
        let named = self.root.join(path);
        match named.canonicalize() {
            Ok(whole) if whole.starts_with(&self.root) => return Some(whole),
            Ok(_) => self.missed(path, format!("it is a link out of `{}`", self.root.display())),
            Err(e) if e.kind() == ErrorKind::NotFound && named.symlink_metadata().is_err() => {}
            Err(e) if e.kind() == ErrorKind::NotFound => self.missed(path, "it is a link to nothing".into()),
            // Asked for below a file, as if that were a folder: there is no such thing.
            Err(e) if e.kind() == ErrorKind::NotADirectory => {}
            Err(e) => self.missed(path, e.to_string()),
        }
        None
    }

    fn missed(&self, path: &str, why: String) {
        if let Ok(mut unread) = self.unread.lock() {
            unread.insert(path.to_owned(), why);
        }
    }

    fn bytes(&self, whole: &Path) -> Result<Vec<u8>, String> {
        let about = whole.metadata().map_err(|e| e.to_string())?;
        if !about.is_file() {
            return Err("it is no regular file".into());
        }
        if about.len() > MAX_BYTES {
            return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
        }
        std::fs::read(whole).map_err(|e| e.to_string())
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        let whole = self.inside(path).filter(|whole| !whole.is_dir())?;
        self.bytes(&whole).map_err(|why| self.missed(path, why)).ok().map(Arc::from)
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let Some(whole) = self.inside(folder).filter(|whole| whole.is_dir()) else { return Vec::new() };
        let entries = match std::fs::read_dir(whole) {
            Ok(entries) => entries,
            Err(e) => {
                self.missed(folder, e.to_string());
                return Vec::new();
            }
        };
        let mut out: Vec<Entry> = entries
            .flatten()
            .filter_map(|entry| {
                let name = match entry.file_name().into_string() {
                    Ok(name) => name,
                    Err(name) => {
                        let shown = name.to_string_lossy();
                        let path = if folder.is_empty() { shown.into_owned() } else { format!("{folder}/{shown}") };
                        self.missed(&path, "its name is not UTF-8".into());
                        return None;
                    }
                };
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

    fn unread(&self) -> Vec<(String, String)> {
        let unread = self.unread.lock().map(|unread| unread.clone()).unwrap_or_default();
        unread.into_iter().collect()
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

/// The files of a commit, read through `git cat-file` without touching the working tree. What git leaves alone and code is read with
/// is taken from the disk: installed modules, and values that are ignored.
#[derive(Debug)]
pub struct GitFiles {
    /// By path: which reader has it, and its object id.
    objects: BTreeMap<String, (usize, String)>,
    /// One for the repository, and one for each submodule.
    readers: Vec<Reader>,
    disk: DiskFiles,
    /// Ignored files of values.
    ignored: BTreeSet<String>,
    /// From what a file was called then to what it is called now.
    renamed: Vec<(String, String)>,
    /// The same of folders whose code went elsewhere as a whole.
    moved: BTreeMap<String, String>,
    shared: bool,
}

#[derive(Debug)]
struct Reader(Mutex<Child>);

/// What `git` answers in a repository.
fn git(repository: &Path, args: &[&str]) -> Result<Vec<u8>, String> {
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
}

fn word(out: Vec<u8>) -> String {
    String::from_utf8_lossy(&out).trim().to_owned()
}

fn parts(out: &[u8]) -> impl Iterator<Item = String> {
    out.split(|b| *b == 0).filter(|part| !part.is_empty()).map(|part| String::from_utf8_lossy(part).into_owned())
}

impl GitFiles {
    /// The files of the last commit that `reference` and the working tree share; of `reference` itself where none is known.
    ///
    /// # Errors
    /// What is wrong with the reference or the repository, and what would be right.
    pub fn open(repository: &Path, reference: &str) -> Result<Self, String> {
        git(repository, &["rev-parse", "--git-dir"])?;
        let commit = format!("{reference}^{{commit}}");
        let named = git(repository, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).map(word);
        let named = named.map_err(|_| {
            let shallow = git(repository, &["rev-parse", "--is-shallow-repository"]).is_ok_and(|out| word(out) == "true");
            let hint = match shallow {
                true => "; the clone is shallow: fetch it first, or clone with its history (`fetch-depth: 0`, `GIT_DEPTH: 0`)",
                false => "; a branch of a remote is there once it was fetched",
            };
            format!("no commit is called so in `{}`{hint}", repository.display())
        })?;
        let base = git(repository, &["merge-base", "HEAD", &named]).map(word);
        let (base, shared) = base.map_or((named, false), |base| (base, true));
        let mut this = Self {
            objects: BTreeMap::new(),
            readers: Vec::new(),
            disk: DiskFiles::new(repository).map_err(|e| e.to_string())?,
            ignored: BTreeSet::new(),
            renamed: Vec::new(),
            moved: BTreeMap::new(),
            shared,
        };
        this.add(repository, "", &base)?;
        let values =
            ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", "*.tfvars", "*.tfvars.json"];
        this.ignored.extend(parts(&git(repository, &values).unwrap_or_default()));
        let renames = ["diff", "--name-status", "-z", "--find-renames", "--diff-filter=R", "--no-ext-diff", &base];
        let renames: Vec<String> = parts(&git(repository, &renames).unwrap_or_default()).collect();
        let told = renames.chunks_exact(3);
        this.renamed.extend(told.filter_map(|row| Some((row.get(1)?.clone(), row.get(2)?.clone()))));
        this.moved = this.moved();
        // What is ignored went with its folder, and git does not tell.
        let then = |path: &String| {
            let (folder, name) = path.rsplit_once('/')?;
            let (then, _) = this.moved.iter().find(|(_, now)| *now == folder)?;
            Some(format!("{then}/{name}"))
        };
        let went: Vec<String> = this.ignored.iter().filter_map(then).collect();
        this.ignored.extend(went);
        Ok(this)
    }

    /// Adds the files of a commit of the repository in `folder`, and those of its submodules that are checked out.
    fn add(&mut self, repository: &Path, folder: &str, commit: &str) -> Result<(), String> {
        let listing = git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
        let reader = self.readers.len();
        self.readers.push(Reader::start(repository)?);
        for row in parts(&listing) {
            // `100644 blob <id>\t<path>`; a link's blob holds its target and is not a file of ours.
            let Some((about, path)) = row.split_once('\t') else { continue };
            let whole = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
            let mut about = about.split(' ');
            match (about.next(), about.next(), about.next()) {
                (Some("100644" | "100755"), Some("blob"), Some(id)) => {
                    self.objects.insert(whole, (reader, id.to_owned()));
                }
                // A commit that was never fetched has nothing to compare with: all of it is new then.
                (_, Some("commit"), Some(id)) if repository.join(path).join(".git").exists() => {
                    let _ = self.add(&repository.join(path), &whole, id);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a commit is known that both sides share: a clone without history has none.
    pub fn has_shared_base(&self) -> bool {
        self.shared
    }

    /// What a file that is there now was called then.
    pub fn former(&self, path: &str) -> Option<&str> {
        self.renamed.iter().find(|(_, now)| now == path).map(|(then, _)| then.as_str())
    }

    /// Whether the commit has anything in a folder.
    pub fn has_folder(&self, folder: &str) -> bool {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.objects.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// What a root of then (a template, or the folder of a root module) is called now.
    pub fn root_now(&self, then: &str) -> Option<String> {
        if let Some((_, now)) = self.renamed.iter().find(|(from, _)| from == then) {
            return Some(now.clone());
        }
        self.moved.get(then).cloned()
    }

    fn moved(&self) -> BTreeMap<String, String> {
        let folder = |path: &str| path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let code = |path: &str| [".tf", ".tf.json", ".tofu"].iter().any(|end| path.ends_with(end));
        let files = self.renamed.iter().filter(|(from, to)| code(from) && folder(from) != folder(to));
        // A folder that still has code has not moved, whatever left it.
        let left = |dir: &str| !self.disk.list(dir).iter().any(|entry| !entry.folder && code(&entry.name));
        files.map(|(from, to)| (folder(from), folder(to))).filter(|(from, _)| left(from)).collect()
    }

    /// Where on the disk something of then is.
    fn now(&self, then: &str) -> String {
        let below = |(from, to): (&String, &String)| {
            let rest = then.strip_prefix(from.as_str())?;
            rest.starts_with('/').then(|| format!("{to}{rest}"))
        };
        self.moved.iter().find_map(below).unwrap_or_else(|| then.to_owned())
    }

    /// Whether the disk has what the commit would be read with.
    fn beside(&self, path: &str) -> bool {
        path.split('/').any(|part| part == ".terraform") || self.ignored.contains(path)
    }
}

impl Reader {
    fn start(repository: &Path) -> Result<Self, String> {
        let child = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot run git: {e}"))?;
        Ok(Self(Mutex::new(child)))
    }

    fn read(&self, id: &str) -> Option<Arc<[u8]>> {
        let mut child = self.0.lock().ok()?;
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
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Ok(child) = self.0.get_mut() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Files for GitFiles {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        match self.objects.get(path) {
            Some((reader, id)) => self.readers.get(*reader)?.read(id),
            None => self.beside(path).then(|| self.disk.read(&self.now(path))).flatten(),
        }
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut out = if self.beside(folder) { self.disk.list(&self.now(folder)) } else { Vec::new() };
        let ignored = self.ignored.range(prefix.clone()..).take_while(|path| path.starts_with(&prefix));
        for path in
            self.objects.range(prefix.clone()..).map(|(p, _)| p).take_while(|p| p.starts_with(&prefix)).chain(ignored)
        {
            let rest = path.strip_prefix(&prefix).unwrap_or_default();
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

    fn unread(&self) -> Vec<(String, String)> {
        self.files.unread()
    }
}

/// What the files of a reading could not give, as its problems. In a walk, what stands on the way to `target` is nobody's concern.
fn tell_unread(files: &dyn Files, target: &str, readings: &mut [Reading]) {
    let Some(reading) = readings.first_mut() else { return };
    let on_the_way = |path: &str| {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder != target && (folder.is_empty() || target.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    };
    for (path, why) in files.unread() {
        if on_the_way(&path) && path != target {
            continue;
        }
        // What is large, a link that leads away or oddly named need be no code; where its name says that it is, something is missing.
        let code = [".tf", ".tf.json", ".tofu", ".bicep"].iter().any(|end| path.ends_with(end));
        let odd = ["larger than", "not UTF-8", "it is a link"].iter().any(|word| why.contains(word));
        let severity = if odd && !code { ProblemSeverity::Note } else { ProblemSeverity::Error };
        let path = if path.is_empty() { ".".to_owned() } else { path };
        let place = Place { file: path.into(), line: 1, column: 1, end_line: 1, end_column: 1 };
        let message = format!("it cannot be read: {why}");
        let problem = Problem { severity, message, place, span: Span::default(), frame: String::new(), hides: true };
        reading.problems.push(problem);
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
        tell_unread(files, target, &mut all);
        return Ok(all);
    }
    let Some(bytes) = files.read(target) else {
        let why = files.unread().into_iter().find_map(|(path, why)| (path == target).then_some(why));
        return Err(format!("cannot read `{target}`{}", why.map(|w| format!(": {w}")).unwrap_or_default()));
    };
    let mut readings = read_file(files, target, &bytes, options)?;
    let folder = target.rsplit_once('/').map_or("", |(folder, _)| folder);
    tell_unread(files, folder, &mut readings);
    Ok(readings)
}

/// Reads one file and what it names.
fn read_file(
    files: &dyn Files,
    target: &str,
    bytes: &[u8],
    options: &terraform::Options,
) -> Result<Vec<Reading>, String> {
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
    let piped = name == PipedFile::NAME;
    let looks_like_json = bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b == b'{');
    // What comes through a pipe has no name that tells; its text does.
    let named = match (piped, looks_like_json) {
        (false, _) => target,
        (true, true) => "a.json",
        (true, false) => "a.yaml",
    };
    if !(piped && terraform::is_plan_or_state(bytes))
        && let Some(template) = templates::detect(named, bytes)
    {
        return Ok(vec![templates::read_these(files, &BTreeMap::from([(target.to_owned(), template)]))]);
    }
    if terraform::is_plan_or_state(bytes) || (piped && looks_like_json) {
        return Ok(vec![terraform::read_plan(files, target, options)]);
    }
    Err(format!("`{target}` is neither Terraform (configuration, plan or state), CloudFormation, ARM nor Bicep"))
}
