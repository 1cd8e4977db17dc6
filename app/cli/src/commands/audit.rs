//! `plumb audit`: the activity log, and the key that seals it.

use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_catalog::Catalog;
use plumb_govern::log::{Entry, PublicKey, SealKey};
use plumb_record::Record;
use plumb_run::{
    Outcome,
    govern::{self, Note, NoteKind, Seal},
};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// `plumb audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do with the log
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every entry, link, checkpoint and state; exit 1 naming the first that is broken
    Verify {
        /// A public key to trust (base 64 or hexadecimal); default the key on this machine
        #[arg(long = "trust", value_name = "KEY")]
        trust: Vec<String>,
    },
    /// Print entries
    Log {
        /// From this entry on
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: i64,
        /// At most this many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Only refused attempts
        #[arg(long)]
        denied: bool,
        /// Only what was done in this emergency session: BG-0001
        #[arg(long, value_name = "ID")]
        emergency: Option<String>,
    },
    /// Print the newest signed checkpoint, to be kept where the record's keeper cannot reach
    Checkpoint,
    /// Print the public key and its fingerprint
    Key,
    /// Write a note as auditor, or ask for evidence; a comment with --comment
    Note {
        /// What it is about: F-…, EX-…, X-…, AR-…, AT-…
        about: String,
        /// In your words
        #[arg(long)]
        text: String,
        /// Ask for evidence: somebody answers
        #[arg(long, conflicts_with = "comment")]
        request: bool,
        /// A comment of somebody who works with it
        #[arg(long)]
        comment: bool,
    },
    /// List notes, comments and requests for evidence; 1 when --open and any request is
    Notes {
        /// About this alone
        about: Option<String>,
        /// Only requests nobody has answered
        #[arg(long)]
        open: bool,
    },
    /// Answer a request for evidence
    Answer {
        /// The request: N-000001
        note: String,
        /// In your words: where it is
        #[arg(long)]
        text: String,
    },
    /// Hand the log over to another key: its head is signed by both
    Rotate {
        /// The new key's file; made when it does not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

fn key_path(globals: &Globals) -> Result<PathBuf, Failure> {
    match &globals.key {
        Some(path) => Ok(path.clone()),
        None => Seal::default_path()
            .ok_or_else(|| Failure::usage("there is no home folder; name the signing key with --key FILE")),
    }
}

/// The key that seals the log, made on first use.
pub fn key(globals: &Globals) -> Result<SealKey, Failure> {
    let path = key_path(globals)?;
    let seal = Seal::read_or_make(&path)?;
    if seal.made {
        out::note(
            globals,
            format!("made a signing key in {}; keep a copy of `plumb audit key` elsewhere", path.display()),
        );
    }
    Ok(seal.key)
}

/// The product's own session for what every scan does too, as of the instant a flag names: what comes of another instant
/// than the clock's says so on the log.
pub fn system(globals: &Globals, component: &str, now: Option<&str>) -> Result<govern::Session, Failure> {
    let as_of = context::instant(now)?;
    let mut session = govern::Session::system(component, Some(key(globals)?), as_of);
    if now.is_some() {
        session.session = format!("system/clock {}", context::now());
    }
    Ok(session)
}

/// The key, where there is or can be one: a scan is kept, chained and unsigned, where there cannot.
pub fn key_if_any(globals: &Globals) -> Option<SealKey> {
    match key(globals) {
        Ok(key) => Some(key),
        Err(error) => {
            out::note(globals, format!("plumb: {error}; the log is chained, but not signed"));
            None
        }
    }
}

/// What follows a scan: its end goes on the log, decisions that ran out or whose triggers fired end, and those that also cover
/// what comes later take it in.
pub fn scan_ended(
    record: &mut Record,
    catalog: &Catalog,
    key: Option<&SealKey>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let summary = json!({
        "complete": outcome.complete, "interrupted": outcome.interrupted, "resources": outcome.resources,
        "verdicts": outcome.verdicts, "accounts": outcome.accounts.len(),
    });
    govern::log_scan_end(record, key, outcome.scan, summary, context::now())?;
    let system = |component| govern::Session::system(component, key.cloned(), context::now());
    govern::sweep(record, catalog, &system("expiry"))?;
    let scan = plumb_record::ScanId(outcome.scan);
    govern::observe(record, catalog, &system("ledger"), scan)?;
    super::reviews::after_scan(record, &system("reviews"), scan)?;
    govern::keep_scores(record, catalog, &system("score"), Some(outcome.scan), !outcome.interrupted)?;
    // Lanes are kept by now, so that nothing more urgent than what was approved comes under a decision.
    govern::cover(record, catalog, &system("exceptions"))?;
    govern::keep_trend(record, catalog, context::now())?;
    // Last: what the steps above write of findings is under it too.
    govern::seal_scan(record, key, outcome.scan, context::now())?;
    Ok(())
}

/// `plumb audit`
pub fn run(globals: &Globals, args: AuditArgs) -> Result<u8, Failure> {
    match args.command {
        AuditCommand::Verify { trust } => verify(globals, &trust),
        AuditCommand::Log { from, limit, denied, emergency } => log(globals, from, limit, denied, emergency.as_deref()),
        AuditCommand::Checkpoint => {
            let record = context::record_read_only(globals)?;
            let (_, state) = govern::log_state(&record)?;
            let point = state.checkpoint.ok_or_else(|| Failure::new("nothing has been signed yet"))?;
            match out::format(globals) {
                Format::Text => out::line(point.signed_note().trim_end()),
                _ => out::line(serde_json::to_string(&point)?),
            }
            Ok(0)
        }
        AuditCommand::Key => {
            let public = key(globals)?.public();
            match out::format(globals) {
                Format::Text => out::line(format!("{public}\nfingerprint {}", public.fingerprint())),
                _ => out::line(json!({ "key": public, "fingerprint": public.fingerprint() })),
            }
            Ok(0)
        }
        AuditCommand::Note { about, text, request, comment } => {
            let kind = match (request, comment) {
                (true, _) => NoteKind::EvidenceRequest,
                (_, true) => NoteKind::Comment,
                _ => NoteKind::AuditNote,
            };
            let mut record = context::record(globals)?;
            let session = super::people::session(globals, &record)?;
            let note =
                govern::write_note(&mut record, &session, kind, &about, &text).map_err(super::people::refused)?;
            notes(globals, &[note])?;
            Ok(0)
        }
        AuditCommand::Notes { about, open } => {
            let record = context::record_read_only(globals)?;
            let mut all = govern::notes(&record).map_err(super::people::refused)?;
            all.retain(|n| about.as_deref().is_none_or(|a| n.about == a));
            all.retain(|n| !open || (n.kind == NoteKind::EvidenceRequest && n.answer.is_none()));
            notes(globals, &all)?;
            Ok(u8::from(open && !all.is_empty()))
        }
        AuditCommand::Answer { note, text } => {
            let mut record = context::record(globals)?;
            let session = super::people::session(globals, &record)?;
            let note = govern::answer_note(&mut record, &session, &note, &text).map_err(super::people::refused)?;
            notes(globals, &[note])?;
            Ok(0)
        }
        AuditCommand::Rotate { to } => rotate(globals, &to),
    }
}

fn verify(globals: &Globals, trust: &[String]) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let mut trusted: Vec<PublicKey> = trust
        .iter()
        .map(|t| t.parse())
        .collect::<Result<_, plumb_govern::log::KeyError>>()
        .map_err(|e| Failure::usage(e.to_string()))?;
    if trusted.is_empty() {
        let path = key_path(globals)?;
        if path.exists() {
            trusted.push(Seal::read(&path)?.key.public());
        }
    }
    let text = out::format(globals) == Format::Text;
    // What a scan writes meanwhile is not half seen.
    let _moment = record.moment()?;
    match govern::verify_log(&record, &trusted)? {
        Ok(verified) => {
            let held = govern::held(&record)?;
            if let Some(astray) = held.astray {
                return broken(text, &astray.what, astray.entry);
            }
            let r = &verified.report;
            if text {
                let by = if verified.key_vouched {
                    "signed by your key"
                } else {
                    "checked with the keys on record; compare the fingerprint"
                };
                out::line(format!(
                    "sound: {} entries, {} checkpoints, {} not signed yet; {by}",
                    r.entries, r.checkpoints, r.unsigned_tail
                ));
                held.unsealed.iter().for_each(|what| out::line(format!("under no entry: {what}")));
            } else {
                out::line(json!({
                    "sound": true, "entries": r.entries, "checkpoints": r.checkpoints, "unsigned": r.unsigned_tail,
                    "keys": r.keys, "key_vouched": verified.key_vouched, "head": r.head,
                    "unsealed": held.unsealed,
                }));
            }
            Ok(0)
        }
        Err(found) => {
            let mut what = found.to_string();
            if found.why == plumb_govern::log::Why::Unsigned {
                let (_, state) = govern::log_state(&record)?;
                let marks = |keys: &[PublicKey]| keys.iter().map(PublicKey::fingerprint).collect::<Vec<_>>().join(", ");
                what = format!(
                    "{what}; trusted here: {}; the record names {}: if one of them is yours, give it with --trust KEY or --key FILE",
                    marks(&trusted),
                    marks(&state.keys)
                );
            }
            broken(text, &what, Some(found.index))
        }
    }
}

fn notes(globals: &Globals, rows: &[Note]) -> Result<(), Failure> {
    out::rows(globals, rows, &["note", "kind", "about", "by", "at", "text", "answer"], |n| {
        let kind = serde_json::to_value(n.kind).ok().and_then(|k| k.as_str().map(str::to_owned)).unwrap_or_default();
        let answer = n.answer.as_ref().map(|a| format!("{}: {}", a.by, a.text)).unwrap_or_default();
        vec![n.id.clone(), kind, n.about.clone(), n.by.clone(), n.at.date(), n.text.clone(), answer]
    })
}

/// `plumb audit rotate`
fn rotate(globals: &Globals, to: &std::path::Path) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = super::people::session(globals, &record)?;
    let new = Seal::read_or_make(to)?;
    govern::rotate_key(&mut record, &session, &new.key).map_err(super::people::refused)?;
    let public = new.key.public();
    match out::format(globals) {
        Format::Text => out::line(format!(
            "the log is handed over to {}\nfrom now on: --key {}, or PLUMB_KEY, or put it in the place of the old key; keep that one's public key",
            public.fingerprint(),
            to.display()
        )),
        _ => out::line(json!({ "key": public, "fingerprint": public.fingerprint(), "file": to })),
    }
    Ok(0)
}

fn broken(text: bool, what: &str, entry: Option<u64>) -> Result<u8, Failure> {
    if text {
        out::line(format!("broken: {what}"));
    } else {
        out::line(json!({ "sound": false, "entry": entry, "problem": what }));
    }
    Ok(1)
}

fn log(
    globals: &Globals,
    from: i64,
    limit: Option<usize>,
    denied: bool,
    emergency: Option<&str>,
) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    if let Some(id) = emergency
        && !govern::emergencies(&record).map_err(super::people::refused)?.iter().any(|e| e.id == id)
    {
        return Err(Failure::usage(format!("there is no emergency session `{id}`; see `plumb people emergency`")));
    }
    let mut rows: Vec<Entry> = Vec::new();
    for (seq, line) in record
        .activity(from.max(0), if denied || emergency.is_some() { usize::MAX } else { limit.unwrap_or(usize::MAX) })?
    {
        let line: Json = serde_json::from_str(&line)
            .map_err(|_| Failure::new(format!("entry {seq} is damaged; run `plumb audit verify`")))?;
        let entry: Entry = serde_json::from_value(line.get("entry").cloned().unwrap_or_default())
            .map_err(|_| Failure::new(format!("entry {seq} is damaged; run `plumb audit verify`")))?;
        let wanted = !denied || entry.outcome == plumb_govern::log::Outcome::Denied;
        if wanted && emergency.is_none_or(|id| entry.emergency == id) {
            rows.push(entry);
        }
    }
    rows.truncate(limit.unwrap_or(usize::MAX));
    out::rows(globals, &rows, &["entry", "at", "actor", "action", "object", "outcome", "change"], |e| {
        let outcome = if e.outcome == plumb_govern::log::Outcome::Denied { "denied" } else { "done" };
        let said = e.change.get("refusal").or_else(|| e.change.get("to")).or_else(|| e.change.get("status"));
        let said = said.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).unwrap_or_default();
        vec![
            e.seq.to_string(),
            e.at.to_string(),
            e.actor.clone(),
            e.action.clone(),
            out::cut(globals, &e.object_id, 24),
            outcome.into(),
            said,
        ]
    })?;
    Ok(0)
}
