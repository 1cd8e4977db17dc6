//! `plumb frameworks attest|agree|attestations|attachment`.

use super::people::{refused, session};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_run::govern::{self, NewAttestation, NewFile};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// `plumb frameworks attest`
#[derive(Debug, Args)]
pub struct AttestArgs {
    /// The framework
    pub framework: String,
    /// The control
    pub control: String,
    /// What holds and how; at least 30 characters
    #[arg(long)]
    pub statement: String,
    /// A paper that shows it, kept on the record
    #[arg(long = "attach", value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// A paper that stays where it is; its name and digest are kept
    #[arg(long = "reference", value_name = "FILE")]
    pub reference: Vec<PathBuf>,
    /// Until when: a date, an instant, or 365d; at most 365 days
    #[arg(long, default_value = "365d")]
    pub until: String,
}

fn read(path: &Path, by_reference: bool) -> Result<NewFile, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
    let name = if by_reference {
        path.display().to_string()
    } else {
        path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    };
    Ok(NewFile { name, bytes, by_reference })
}

/// `plumb frameworks attest`
pub fn attest(globals: &Globals, args: AttestArgs) -> Result<u8, Failure> {
    let mut files = Vec::new();
    for path in &args.attach {
        files.push(read(path, false)?);
    }
    for path in &args.reference {
        files.push(read(path, true)?);
    }
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let new = NewAttestation {
        framework: args.framework.to_ascii_lowercase(),
        control: args.control,
        statement: args.statement,
        files,
        until: govern::end_of(&args.until, session.now).map_err(refused)?,
    };
    let (number, made) = govern::attest(&mut record, &catalog, &session, new).map_err(refused)?;
    match out::format(globals) {
        Format::Text => out::line(format!("{number} waits for a second person: plumb frameworks agree {number}")),
        _ => out::line(json!({ "number": number, "attestation": made })),
    }
    Ok(0)
}

/// `plumb frameworks agree`
pub fn agree(globals: &Globals, number: &str) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let made = govern::agree(&mut record, &session, number).map_err(refused)?;
    match out::format(globals) {
        Format::Text => out::line(format!("{number} holds until {}", made.valid_until.date())),
        _ => out::line(json!({ "number": number, "attestation": made })),
    }
    Ok(0)
}

/// `plumb frameworks attestations`
pub fn list(globals: &Globals, framework: Option<&str>) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let now = context::now();
    let wanted = framework.map(str::to_ascii_lowercase);
    let rows: Vec<_> = govern::attestations(&record)
        .map_err(refused)?
        .into_iter()
        .filter(|(_, a)| wanted.as_ref().is_none_or(|w| a.framework == *w))
        .map(|(number, a)| {
            let standing = match (&a.agreed_by, a.valid_until > now) {
                (_, false) => "expired",
                (None, _) => "waits",
                _ => "in force",
            };
            (number, standing, a)
        })
        .collect();
    let json: Vec<_> = rows.iter().map(|(n, s, a)| json!({ "number": n, "standing": s, "attestation": a })).collect();
    let cell = |v: &serde_json::Value, p: &str| v.pointer(p).and_then(|x| x.as_str()).unwrap_or_default().to_owned();
    let head = ["number", "standing", "framework", "control", "by", "agreed", "until", "papers", "statement"];
    out::rows(globals, &json, &head, |v| {
        let papers = v.pointer("/attestation/evidence").and_then(|e| e.as_array()).map_or(0, Vec::len);
        vec![
            cell(v, "/number"),
            cell(v, "/standing"),
            cell(v, "/attestation/framework"),
            cell(v, "/attestation/control"),
            cell(v, "/attestation/attester"),
            cell(v, "/attestation/agreed_by"),
            cell(v, "/attestation/valid_until").chars().take(10).collect(),
            papers.to_string(),
            out::cut(globals, &cell(v, "/attestation/statement"), 60),
        ]
    })?;
    Ok(0)
}

/// `plumb frameworks attachment`
pub fn attachment(globals: &Globals, digest: &str, to: Option<&Path>) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let (name, bytes) = govern::attachment(&record, digest).map_err(refused)?.ok_or_else(|| {
        Failure::usage(format!("no file with the digest `{digest}` is on the record; it may be kept by reference only"))
    })?;
    match to {
        Some(path) => {
            std::fs::write(path, &bytes)
                .map_err(|e| Failure::new(format!("cannot write `{}`: {e}", path.display())))?;
            out::note(globals, format!("wrote {name}, {} bytes, to {}", bytes.len(), path.display()));
        }
        None => {
            // A closed pipe ends the program quietly.
            let _ = std::io::stdout().lock().write_all(&bytes);
        }
    }
    Ok(0)
}
