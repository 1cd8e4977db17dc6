//! Chores of the repository. Each is one module; this file only chooses.
//!
//! ```text
//! cargo xtask test          all that must hold before a change is merged
//! cargo xtask docs          write the rule catalogue and the field reference
//! cargo xtask demo          record the demo organisation from the emulator
//! cargo xtask governance    derive frameworks and end-of-life dates
//! cargo xtask venv          make the emulator's Python environment
//! cargo xtask aws-models    derive clouds/aws/models.bin from the official service models
//! cargo xtask code-schemas  derive baseline/iac/schemas/ from the providers' own schemas
//! cargo xtask bench NAME    measure what is promised about speed and size
//! ```

mod aws_actions;
mod aws_endpoints;
mod aws_model;
mod aws_pages;
mod bench;
mod code_schemas;
mod docs;
mod emulator;
mod governance;
mod test;

use std::{path::PathBuf, process::ExitCode};

/// What a chore may answer: nothing, or a message for the person who ran it.
type Done<T = ()> = Result<T, String>;

/// One chore.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Done,
}

const CHORES: &[Chore] = &[
    Chore { name: "test", about: "all that must hold before a change is merged [--no-emulator]", run: test::run },
    Chore { name: "docs", about: "write docs/rules.md and docs/kinds.md from the catalog [--check]", run: docs::run },
    Chore { name: "demo", about: "record the demo organisation from the emulator", run: emulator::demo },
    Chore {
        name: "governance",
        about: "derive frameworks and end-of-life dates from ../shared/data [--check]",
        run: governance::run,
    },
    Chore { name: "venv", about: "make the emulator's Python environment in target/venv", run: emulator::venv },
    Chore {
        name: "aws-models",
        about: "derive clouds/aws/models.bin from the official service models [--botocore DATA_DIR]",
        run: aws_model::run,
    },
    Chore {
        name: "code-schemas",
        about: "derive baseline/iac/schemas/ from the providers' own schemas",
        run: code_schemas::run,
    },
    Chore { name: "bench", about: "measure speed and size: scan, eval, check, identity, record", run: bench::run },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("", String::as_str);
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprintln!("usage: cargo xtask CHORE\n");
        for Chore { name, about, .. } in CHORES {
            eprintln!("  {name:<14} {about}");
        }
        return ExitCode::from(2);
    };
    match (chore.run)(args.get(1..).unwrap_or_default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{name}: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    // Cargo tells a program it runs where its package is; the path of the build may be another by now.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("..")
}
