//! `plumb evidence`, `plumb verify` and `plumb frameworks`.

use super::{audit, people::refused};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_catalog::Catalog;
use plumb_govern::{
    bundle::{Manifest, Spool, zip::ReadAt},
    framework::Standing,
    log::SealKey,
};
use plumb_model::Time;
use plumb_record::Record;
use plumb_run::govern::{self, Picture};
use serde_json::{Value as Json, json};
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// `plumb evidence`
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// What to make
    #[command(subcommand)]
    pub command: EvidenceCommand,
}

/// What evidence to make.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Write a signed ZIP with populations, OSCAL, reports, the log and a verifier
    Bundle {
        /// With these frameworks, control by control
        #[arg(long = "framework", value_name = "ID", num_args = 1.., value_delimiter = ',')]
        frameworks: Vec<String>,
        /// Only of these accounts; the lists say of how many rows these are
        #[arg(long = "account", value_name = "ID", value_delimiter = ',')]
        accounts: Vec<String>,
        /// Where to
        #[arg(long, short, value_name = "FILE.zip")]
        out: PathBuf,
        /// The organization's name
        #[arg(long, default_value = "the organization")]
        organization: String,
        /// The period's first day; default 90 days ago
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
    },
}

/// The beginning of a period: a date, an instant, or 90 days before `now`.
pub fn begin(given: Option<&str>, now: Time) -> Result<Time, Failure> {
    match given {
        None => Ok(now.plus_days(-90)),
        Some(text) => {
            let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
            whole.parse().map_err(|_| {
                Failure::usage(format!(
                    "`{text}` is no day like 2026-11-21, nor an instant like 2026-11-21T10:00:00Z; a period begins or ends with one"
                ))
            })
        }
    }
}

/// `plumb evidence`
pub fn run(globals: &Globals, args: EvidenceArgs) -> Result<u8, Failure> {
    let EvidenceCommand::Bundle { frameworks, accounts, out: path, organization, from } = args.command;
    let frameworks: Vec<String> = frameworks.iter().map(|f| f.to_ascii_lowercase()).collect();
    let now = context::now();
    let record = context::record(globals)?;
    let key = audit::key(globals)?;
    let catalog = context::catalog(globals)?;
    let from = begin(from.as_deref(), now)?;
    let ask = govern::BundleAsk { frameworks, accounts, organization };
    let (bytes, manifest) = write(&record, &catalog, &ask, (from, now), &key, &path)?;
    match out::format(globals) {
        Format::Text => out::line(format!(
            "wrote {} ({} files, {} bytes)\nsigned by {}\nverify with: plumb verify {}",
            path.display(),
            manifest.files.len(),
            bytes,
            manifest.key,
            path.display()
        )),
        _ => out::line(json!({
            "file": path, "files": manifest.files.len(), "bytes": bytes, "key": manifest.key,
            "log_entries": manifest.log_end.size,
        })),
    }
    Ok(0)
}

/// A file of its own that goes away with this value.
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    fn new(path: PathBuf) -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is named after the bundle, and overwritten by the next one.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Read for Scratch {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(room)
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Scratch {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes the bundle beside its place and moves it there when it is whole; how many bytes it has, and what is in it.
fn write(
    record: &Record,
    catalog: &Catalog,
    ask: &govern::BundleAsk,
    (from, now): (Time, Time),
    key: &SealKey,
    path: &Path,
) -> Result<(u64, Manifest), Failure> {
    let wrong = |e: std::io::Error| Failure::new(format!("cannot write `{}`: {e}", path.display()));
    // It takes the place of a file when it is whole; of a folder or a device it must not.
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let what = format!("`{}` is no file; name the archive to be made, such as evidence.zip", path.display());
        return Err(Failure::usage(what));
    }
    let beside = |ending: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let made = Cell::new(0);
    let spool = || -> std::io::Result<Box<dyn Spool>> {
        made.set(made.get() + 1);
        Ok(Box::new(Scratch::new(beside(format!(".part{}", made.get())))?))
    };
    let whole = Scratch::new(beside(".part".into())).map_err(wrong)?;
    let to = govern::BundleTo { file: BufWriter::new(whole), spool: &spool };
    let (file, manifest) = govern::write_bundle(record, catalog, ask, from, now, key, to).map_err(refused)?;
    let whole = file.into_inner().map_err(|e| wrong(e.into_error()))?;
    let bytes = whole.file.metadata().map_err(wrong)?.len();
    std::fs::rename(&whole.path, path).map_err(wrong)?;
    Ok((bytes, manifest))
}

/// A bundle on the disk, read where it lies.
struct OnDisk(RefCell<File>);

impl ReadAt for OnDisk {
    fn size(&self) -> std::io::Result<u64> {
        Ok(self.0.borrow().metadata()?.len())
    }

    fn read_at(&self, at: u64, room: &mut [u8]) -> std::io::Result<usize> {
        let mut file = self.0.borrow_mut();
        file.seek(SeekFrom::Start(at))?;
        file.read(room)
    }
}

/// `plumb verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The bundle
    pub file: PathBuf,
    /// The fingerprint of the key that should have signed, from elsewhere
    #[arg(long = "expect", value_name = "FINGERPRINT")]
    pub expect: Vec<String>,
}

/// `plumb verify`: 0 sound, 1 broken.
pub fn verify(globals: &Globals, args: VerifyArgs) -> Result<u8, Failure> {
    let file =
        File::open(&args.file).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", args.file.display())))?;
    let expected: Vec<&str> = args.expect.iter().map(String::as_str).collect();
    let text = out::format(globals) == Format::Text;
    match plumb_govern::bundle::verify(&OnDisk(RefCell::new(file)), &expected) {
        Ok(r) => {
            if text {
                out::line(format!(
                    "sound: {} files, {} log entries, {} findings recomputed\nsigned by {}{}",
                    r.files,
                    r.log.entries,
                    r.folded,
                    r.manifest.key,
                    if r.key_expected { "" } else { " (compare this fingerprint with one you got another way)" }
                ));
            } else {
                out::line(json!({
                    "sound": true, "files": r.files, "log_entries": r.log.entries, "findings": r.folded,
                    "key": r.manifest.key, "key_expected": r.key_expected, "scope": r.manifest.scope,
                }));
            }
            Ok(0)
        }
        Err(fault) => {
            if text {
                out::line(format!("broken: {fault}"));
            } else {
                let entry = fault.broken.as_ref().map(|b| b.index);
                out::line(
                    json!({ "sound": false, "file": fault.file, "problem": fault.to_string(), "entry": entry, "kind": fault.kind }),
                );
            }
            Ok(1)
        }
    }
}

/// `plumb frameworks`
#[derive(Debug, Args)]
pub struct FrameworksArgs {
    /// What to show; default list
    #[command(subcommand)]
    pub command: Option<FrameworksCommand>,
}

/// What to show of frameworks.
#[derive(Debug, Subcommand)]
pub enum FrameworksCommand {
    /// Each framework with how many controls pass, fail, are unknown, manual or under exception
    List,
    /// One framework, control by control
    Show {
        /// Its id
        id: String,
        /// Only controls that stand so: pass, fail, unknown, manual, attested, exception, not-applicable
        #[arg(long, value_name = "WORD")]
        only: Option<String>,
    },
    /// Attest a control only a person can, with papers, for a time; counts once another person agrees
    Attest(super::attest::AttestArgs),
    /// Agree to an attestation; never to one's own
    Agree {
        /// Its number: AT-000001
        number: String,
    },
    /// List attestations
    Attestations {
        /// Only of this framework
        #[arg(long, value_name = "ID")]
        framework: Option<String>,
    },
    /// Write an attached file
    Attachment {
        /// Its SHA-256
        digest: String,
        /// Where to; default standard output
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `plumb frameworks`
pub fn frameworks(globals: &Globals, args: FrameworksArgs) -> Result<u8, Failure> {
    let args = match args.command {
        Some(FrameworksCommand::Attest(args)) => return super::attest::attest(globals, args),
        Some(FrameworksCommand::Agree { number }) => return super::attest::agree(globals, &number),
        Some(FrameworksCommand::Attestations { framework }) => {
            return super::attest::list(globals, framework.as_deref());
        }
        Some(FrameworksCommand::Attachment { digest, out }) => {
            return super::attest::attachment(globals, &digest, out.as_deref());
        }
        other => FrameworksArgs { command: other },
    };
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let picture = Picture::read(&record, &catalog, context::now()).map_err(refused)?;
    let word = |v: &Json, k: &str| {
        v.get(k).map(|x| x.as_str().map_or_else(|| x.to_string(), str::to_owned)).unwrap_or_default()
    };
    match args.command.unwrap_or(FrameworksCommand::List) {
        FrameworksCommand::List => {
            let mut rows = Vec::new();
            for (id, framework) in catalog.frameworks() {
                let Some(a) = picture.align(&catalog, id) else { continue };
                let n = |w: &str| {
                    Standing::ALL.iter().filter(|s| s.word() == w).filter_map(|s| a.counts.get(s)).sum::<usize>()
                };
                rows.push(json!({
                    "framework": id, "title": framework.title, "controls": a.rows.len(), "pass": n("pass"), "fail": n("fail"),
                    "unknown": n("unknown"), "manual": n("manual"), "attested": n("attested"), "exception": n("exception"), "not_applicable": n("not-applicable"), "hygiene_percent": a.hygiene_percent,
                }));
            }
            let head = [
                "framework",
                "controls",
                "pass",
                "fail",
                "unknown",
                "manual",
                "attested",
                "exception",
                "not_applicable",
                "title",
            ];
            out::rows(globals, &rows, &head, |v| head.iter().map(|k| word(v, k)).collect())?;
        }
        FrameworksCommand::Show { id, only } => {
            let id = id.to_ascii_lowercase();
            let a = picture.align(&catalog, &id).ok_or_else(|| {
                let known: Vec<&str> = catalog.frameworks().keys().map(String::as_str).collect();
                Failure::usage(format!("there is no framework `{id}`; there is {}", known.join(", ")))
            })?;
            if let Some(word) = only.as_deref()
                && !Standing::ALL.iter().any(|s| s.word() == word || s.name() == word)
            {
                let mut words: Vec<&str> = Standing::ALL.iter().map(|s| s.word()).collect();
                words.dedup();
                return Err(Failure::usage(format!("no control stands `{word}`; one of {}", words.join(", "))));
            }
            let rows: Vec<Json> = a
                .rows
                .iter()
                .filter(|r| only.as_deref().is_none_or(|w| r.standing.word() == w || r.standing.name() == w))
                .map(|r| {
                    json!({
                        "control": r.control.id, "standing": r.standing.word(), "detail": r.standing.name(), "pass": r.tally.pass,
                        "fail": r.tally.fail, "unknown": r.tally.unknown, "exception": r.tally.decided, "why": r.why,
                        "title": r.control.title, "rules": r.control.rules, "related": r.control.related, "empty": r.empty, "silent": r.silent, "attestation": r.attestation,
                    })
                })
                .collect();
            let head = ["control", "standing", "pass", "fail", "unknown", "exception", "why"];
            out::rows(globals, &rows, &head, |v| head.iter().map(|k| word(v, k)).collect())?;
        }
        _ => {}
    }
    Ok(0)
}
