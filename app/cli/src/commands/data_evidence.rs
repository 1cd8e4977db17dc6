//! `plumb accounts regulated` and `plumb accounts evidence`: which accounts hold personal or regulated data, who says so,
//! and what proves it to an auditor.

use super::{
    accounts::{key_of, who},
    people::refused,
};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_run::{
    accounts,
    data_evidence::{self, Given},
};
use std::path::PathBuf;

/// `plumb accounts evidence`
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The account: `123456789012`, `azure:…`, `gcp:…`
    pub account: String,
    /// The class it proves: personal, regulated-payment, regulated-health, regulated-other
    #[arg(long, value_name = "CLASS")]
    pub class: String,
    /// The document; its SHA-256 is kept, it is not
    #[arg(long, value_name = "FILE", required_unless_present = "reference")]
    pub file: Option<PathBuf>,
    /// Where an auditor finds it: an address, a number in another system; default the file's name
    #[arg(long, value_name = "TEXT")]
    pub reference: Option<String>,
    /// What it shows, in at least 10 characters
    #[arg(long, value_name = "TEXT")]
    pub note: String,
    /// Until when it counts: 180d or a date, at most a year
    #[arg(long, value_name = "END", default_value = "365d")]
    pub valid: String,
}

/// `plumb accounts evidence`
pub fn give(globals: &Globals, args: &EvidenceArgs) -> Result<u8, Failure> {
    let key = key_of(&args.account)?;
    let read = |file: &PathBuf| {
        std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", file.display())))
    };
    let document = args.file.as_ref().map(read).transpose()?;
    let name = args.file.as_ref().and_then(|f| f.file_name()).map(|n| n.to_string_lossy().into_owned());
    let given = Given {
        class: args.class.clone(),
        reference: args.reference.clone().or(name).unwrap_or_default(),
        document,
        note: args.note.clone(),
        valid: args.valid.clone(),
    };
    let mut record = context::record(globals)?;
    let session = who(globals, &record)?;
    let proof = data_evidence::give(&mut record, &session, &key, given).map_err(refused)?;
    out::line(match out::format(globals) {
        Format::Text => {
            format!("{key}: {} is proven by {} until {}", proof.class, proof.reference, proof.valid_until.date())
        }
        _ => serde_json::to_string(&proof)?,
    });
    Ok(0)
}

/// `plumb accounts regulated`
pub fn list(globals: &Globals, lacking: bool) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let estate = accounts::current_estate(&record, None)?;
    let mut rows = data_evidence::claims(&record, &estate, context::now()).map_err(refused)?;
    if lacking {
        rows.retain(|c| c.status != "proven");
    }
    out::rows(globals, &rows, &["account", "name", "owner", "class", "said by", "evidence", "proof", "until"], |c| {
        let said: Vec<String> = c.said_by.iter().map(ToString::to_string).collect();
        let reference = c.proof.as_ref().map(|p| p.reference.clone()).unwrap_or_default();
        vec![
            c.account.to_string(),
            c.name.clone(),
            c.owner.clone(),
            c.class.clone(),
            said.join(" "),
            c.status.into(),
            super::scan::short(&reference, 40),
            c.proof.as_ref().map(|p| p.valid_until.date()).unwrap_or_default(),
        ]
    })?;
    Ok(u8::from(lacking && !rows.is_empty()))
}
