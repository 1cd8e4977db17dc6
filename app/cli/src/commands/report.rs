//! `plumb report`

use super::{audit, people::refused};
use crate::{args::Globals, context, out, out::Failure};
use clap::{Args, ValueEnum};
use plumb_govern::lens::Lens;
use plumb_run::govern::{self, Picture, Report};
use std::path::PathBuf;

/// `plumb report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Which
    #[arg(value_enum)]
    pub which: Which,
    /// As what; default by the file's ending, else Markdown
    #[arg(long = "as", value_enum)]
    pub form: Option<Form>,
    /// Where to; default standard output
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The team of `team` and `queue`
    #[arg(long)]
    pub team: Option<String>,
    /// The frameworks of `audit-pack` and `alignment`
    #[arg(long = "framework", value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub frameworks: Vec<String>,
    /// The organization's name
    #[arg(long, default_value = "the organization")]
    pub organization: String,
    /// The period's first day; default 90 days ago
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
}

/// Reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Risk carried and what moved it, on one page
    Leadership,
    /// What an auditor would flag
    AuditPack,
    /// A team's standing
    Team,
    /// What to do next
    Queue,
    /// The coverage lens: is everything on the list, owned, and looked at
    Coverage,
    /// The decision durability lens: does every decision have a basis, an owner, an end and a trigger
    Durability,
    /// The framework alignment lens: does the record satisfy the controls
    Alignment,
    /// Posture over time, by cloud and by framework
    Trends,
    /// Each of the five layers by itself, with what is missing in it
    Layers,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Markdown
    Md,
    /// One self-contained page
    Html,
    /// PDF
    Pdf,
}

/// `plumb report`
pub fn run(globals: &Globals, args: ReportArgs) -> Result<u8, Failure> {
    let ending = args.out.as_ref().and_then(|p| p.extension()).and_then(|e| e.to_str()).unwrap_or_default();
    let form = match (args.form, ending) {
        (Some(form), _) => form,
        (None, "html" | "htm") => Form::Html,
        (None, "pdf") => Form::Pdf,
        (None, "" | "md" | "markdown" | "txt") => Form::Md,
        (None, other) => {
            let what = format!(
                "a report is not made as `.{other}`; name the file .md, .html or .pdf, or say --as md|html|pdf"
            );
            return Err(Failure::usage(what));
        }
    };
    let record = context::record_read_only(globals)?;
    let catalog = context::catalog(globals)?;
    let now = context::now();
    let picture = Picture::read(&record, &catalog, now).map_err(refused)?;
    let frameworks = || args.frameworks.iter().map(|f| f.to_ascii_lowercase()).collect();
    let which = match args.which {
        Which::Leadership => Report::Leadership,
        Which::AuditPack => Report::AuditPack(frameworks()),
        Which::Team => Report::Team(args.team.unwrap_or_else(|| "nobody".into())),
        Which::Queue => Report::Queue(args.team),
        Which::Coverage => Report::Lens(Lens::Coverage, frameworks()),
        Which::Durability => Report::Lens(Lens::DecisionDurability, frameworks()),
        Which::Alignment => Report::Lens(Lens::FrameworkAlignment, frameworks()),
        Which::Trends => Report::Trends,
        Which::Layers => Report::Layers,
    };
    let from = super::evidence::begin(args.from.as_deref(), now)?;
    let key = if args.which == Which::AuditPack { audit::key(globals)?.public().fingerprint() } else { String::new() };
    let paths = match which {
        Report::Leadership => govern::worst_paths(&record, &catalog).map_err(refused)?,
        _ => Vec::new(),
    };
    let doc = govern::report(&picture, &catalog, &which, &args.organization, from, &key, &paths).map_err(refused)?;
    let bytes = match form {
        Form::Md => plumb_report::markdown(&doc).into_bytes(),
        Form::Html => plumb_report::html(&doc).into_bytes(),
        Form::Pdf => plumb_report::pdf(&doc),
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, &bytes)
                .map_err(|e| Failure::new(format!("cannot write `{}`: {e}", path.display())))?;
            out::note(globals, format!("wrote {} bytes to {}", bytes.len(), path.display()));
        }
        None => {
            out::stream(|to| to.write_all(&bytes));
        }
    }
    Ok(0)
}
