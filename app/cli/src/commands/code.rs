//! `plumb code`: what infrastructure as code declares. And how commands find the code they are given.

use crate::{
    args::{CodeArgs, CodeCommand, CodeInput, Globals},
    out,
    out::Failure,
};
use plumb_iac::{Files, Reading, show, terraform};
use plumb_run::{DiskFiles, PipedFile, is_partial, read_code};
use serde_json::Value as Json;
use std::{
    borrow::Cow,
    io::Read,
    path::{Component, Path, PathBuf},
};

/// The code a command is given.
pub struct Source {
    /// The files, from the root of the repository.
    pub files: Box<dyn Files>,
    /// The root on disk; none for standard input.
    pub root: Option<PathBuf>,
    /// What is read below it: a folder (`""` is all), or a file.
    pub target: String,
    /// Whether that is a file.
    pub is_file: bool,
    /// Variables.
    pub options: terraform::Options,
    /// The working folder.
    here: Option<PathBuf>,
}

impl Source {
    /// Finds what `input` names. The root is the git repository around it, so that modules beside the folder are found.
    pub fn open(input: &CodeInput) -> Result<Self, Failure> {
        let mut options = terraform::Options::default();
        for var in &input.vars {
            let (name, value) =
                var.split_once('=').ok_or_else(|| Failure::usage(format!("--var {var}: write NAME=VALUE")))?;
            options.vars.push((name.to_owned(), value.to_owned()));
        }
        let here = std::env::current_dir().and_then(|d| d.canonicalize()).ok();
        if input.path == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            let files = Box::new(PipedFile(bytes.into()));
            return Ok(Self { files, root: None, target: PipedFile::NAME.into(), is_file: true, options, here });
        }
        let path = Path::new(&input.path);
        // A pipe with a name, such as the shell makes of `<(terraform show -json p.bin)`.
        if path.metadata().is_ok_and(|about| !about.is_file() && !about.is_dir()) {
            let bytes =
                std::fs::read(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
            let files = Box::new(PipedFile(bytes.into()));
            return Ok(Self { files, root: None, target: PipedFile::NAME.into(), is_file: true, options, here });
        }
        let whole =
            path.canonicalize().map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
        let is_file = whole.is_file();
        let folder = if is_file { whole.parent().unwrap_or(&whole) } else { &whole };
        let repository = folder.ancestors().find(|a| a.join(".git").exists());
        // Without one (a copy in an image, an archive) it is the working folder where the code is below it: modules are beside.
        let beside = here.as_deref().filter(|here| folder.starts_with(here) && here.parent().is_some());
        let root = repository.or(beside).unwrap_or(folder).to_path_buf();
        let target = slashes(whole.strip_prefix(&root).unwrap_or(Path::new("")));
        for file in &input.var_files {
            let whole =
                Path::new(file).canonicalize().map_err(|e| Failure::usage(format!("--var-file {file}: {e}")))?;
            let below = whole
                .strip_prefix(&root)
                .map_err(|_| Failure::usage(format!("--var-file {file}: it is outside of `{}`", root.display())))?;
            options.var_files.push(slashes(below));
        }
        Ok(Self { files: Box::new(DiskFiles::new(&root)?), root: Some(root), target, is_file, options, here })
    }

    /// Reads it.
    pub fn read(&self) -> Result<Vec<Reading>, Failure> {
        read_code(self.files.as_ref(), &self.target, self.is_file, &self.options).map_err(Failure::usage)
    }

    /// The folder that paths are printed relative to.
    fn folder(&self) -> &str {
        if self.is_file { self.target.rsplit_once('/').map_or("", |(folder, _)| folder) } else { &self.target }
    }

    /// A path of the reading, relative to what was named on the command line.
    pub fn relative<'f>(&self, file: &'f str) -> Cow<'f, str> {
        relative(self.folder(), file)
    }

    /// A path of the reading, relative to the working folder.
    pub fn printed_path(&self, file: &str) -> String {
        let (Some(root), Some(here)) = (&self.root, &self.here) else {
            return file.to_owned();
        };
        let whole = root.join(file);
        whole.strip_prefix(here).map_or_else(|_| self.relative(file).into_owned(), slashes)
    }
}

fn slashes(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter(|c| matches!(c, Component::Normal(_)))
        .map(|c| c.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

fn relative<'f>(folder: &str, file: &'f str) -> Cow<'f, str> {
    if folder.is_empty() {
        return file.into();
    }
    let below = file.strip_prefix(folder);
    if let Some(below) = below.and_then(|rest| if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }) {
        return below.into();
    }
    let (mut from, mut to) = (folder.split('/').peekable(), file.split('/').peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    from.map(|_| "..").chain(to).collect::<Vec<_>>().join("/").into()
}

/// Puts paths relative to what was named on the command line into every place of a shown resource.
fn shorten(json: &mut Json, source: &Source) {
    match json {
        Json::Object(members) => {
            let place = members.contains_key("end_line") && members.contains_key("column");
            for (name, value) in members.iter_mut() {
                match value {
                    Json::String(file) if place && name == "file" => *file = source.relative(file).into_owned(),
                    Json::Object(_) | Json::Array(_) if name != "values" => shorten(value, source),
                    _ => {}
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| shorten(item, source)),
        _ => {}
    }
}

/// `plumb code …`
pub fn run(globals: &Globals, args: CodeArgs) -> Result<u8, Failure> {
    let CodeCommand::Show { input } = args.command;
    let source = Source::open(&input)?;
    let readings = source.read()?;
    let mut rows = Vec::new();
    for reading in &readings {
        rows.extend(show(reading).map(|mut row| {
            shorten(&mut row, &source);
            row
        }));
    }
    let text = |row: &Json, pointer: &str| {
        row.pointer(pointer).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default()
    };
    out::rows(globals, &rows, &["address", "type", "place", "not known"], |row| {
        let gaps = row.get("unknown").and_then(Json::as_array).map_or(0, Vec::len);
        vec![
            text(row, "/address"),
            text(row, "/type"),
            format!("{}:{}", text(row, "/at/file"), text(row, "/at/line")),
            gaps.to_string(),
        ]
    })?;
    let mut partial = false;
    for problem in readings.iter().flat_map(|r| &r.problems) {
        partial |= is_partial(problem);
        out::note(globals, problem);
    }
    Ok(if partial { 3 } else { 0 })
}
