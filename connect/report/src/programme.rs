//! Pages about the programme itself: posture over time, and each layer by itself.

use crate::chart::Bar;
use crate::doc::{Block, Cell, Doc, Tone};
use crate::pages::points;
use plumb_model::Time;
use std::collections::BTreeMap;

/// One cloud's posture at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct CloudPosture {
    /// Accounts known.
    pub accounts: usize,
    /// Accounts that could be entered.
    pub scanned: usize,
    /// Checks that pass.
    pub pass: u64,
    /// Checks that fail.
    pub fail: u64,
    /// Checks that could not look.
    pub unknown: u64,
    /// Open, undecided findings.
    pub open: u64,
    /// Points they carry, in tenths.
    pub points: i64,
}

impl CloudPosture {
    /// Passing checks of those that gave a verdict, in per cent, rounded down.
    pub fn hygiene_percent(&self) -> Option<u64> {
        let all = self.pass + self.fail;
        (all > 0).then(|| self.pass * 100 / all)
    }
}

/// One framework's posture at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct FrameworkPosture {
    /// Controls in all.
    pub controls: usize,
    /// Satisfied, with an exception or by attestation too.
    pub pass: usize,
    /// Not satisfied.
    pub fail: usize,
    /// Not assessed: nobody could look, or nothing was judged.
    pub unknown: usize,
    /// Waiting for a person's attestation.
    #[serde(default)]
    pub manual: usize,
    /// Nothing there that they speak about.
    #[serde(default)]
    pub not_applicable: usize,
    /// Share of passing checks.
    pub hygiene_percent: Option<u8>,
}

/// The posture at a moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trend {
    /// Format version; 1.
    pub v: u16,
    /// When.
    pub at: Time,
    /// By cloud.
    pub clouds: BTreeMap<String, CloudPosture>,
    /// By framework.
    pub frameworks: BTreeMap<String, FrameworkPosture>,
}

/// One layer of the programme.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The question it answers.
    pub asks: String,
    /// Figures: what, and how much.
    pub facts: Vec<(String, String)>,
    /// What is missing in it, said aloud.
    pub gaps: Vec<String>,
}

/// A provider's name as people write it.
fn cloud_name(id: &str) -> &str {
    match id {
        "aws" => "AWS",
        "azure" => "Azure",
        "gcp" => "Google Cloud",
        "governance" => "The programme itself",
        other => other,
    }
}

fn moved(before: Option<i64>, after: i64) -> String {
    match before.map(|b| after - b) {
        None => "new".into(),
        Some(0) => "same".into(),
        Some(n) if n > 0 => format!("+{n}"),
        Some(n) => n.to_string(),
    }
}

/// Posture over time, over clouds and frameworks; `days` oldest first, the last is now.
pub fn trend_report(organization: &str, days: &[Trend]) -> Doc {
    let mut blocks = Vec::new();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Doc {
            v: 1,
            title: "Posture over time".into(),
            subtitle: organization.into(),
            footer: organization.into(),
            blocks: vec![Block::Text("Nothing was scanned yet.".into())],
        };
    };
    let begun = days.len() > 1;
    if !begun {
        blocks.push(Block::Text(
            "This is the first day on record; a trend begins with the second. Each scan keeps its day's posture."
                .into(),
        ));
    }
    for (id, now) in &last.clouds {
        blocks.push(Block::Heading(cloud_name(id).into()));
        let was = first.clouds.get(id).filter(|_| begun);
        let hygiene =
            now.hygiene_percent().map_or_else(|| "nothing judged".into(), |p| format!("{p} % of checks pass"));
        let risk = match was {
            Some(w) => format!("{} (was {})", points(now.points), points(w.points)),
            None => points(now.points),
        };
        blocks.push(Block::Text(if id == "governance" {
            format!("{} open findings about the programme's own work carry {risk}.", now.open)
        } else {
            format!(
                "{} of {} accounts were entered. {hygiene}; {} could not look. {} open findings carry {risk}.",
                now.scanned, now.accounts, now.unknown, now.open
            )
        }));
        if begun {
            let line = |value: &dyn Fn(&CloudPosture) -> i64| -> Vec<(String, i64)> {
                days.iter().filter_map(|d| Some((d.at.date(), value(d.clouds.get(id)?)))).collect()
            };
            let mut charts =
                vec![Block::Line { title: "Risk carried".into(), points: line(&|c: &CloudPosture| c.points) }];
            if id != "governance" {
                charts.push(Block::Bars {
                    title: "Checks passing, in per cent".into(),
                    bars: thinned(days)
                        .filter_map(|d| {
                            let percent = i64::try_from(d.clouds.get(id)?.hygiene_percent()?).ok()?;
                            let shown = format!("{percent} %");
                            Some(Bar { label: d.at.date(), value: percent, shown, tone: Tone::Good })
                        })
                        .collect(),
                });
            }
            blocks.push(Block::Charts(charts));
        }
    }
    blocks.push(Block::Heading("Frameworks".into()));
    let rows = last.frameworks.iter().map(|(id, now)| {
        let was = first.frameworks.get(id).filter(|_| begun);
        let n = |v: usize| i64::try_from(v).unwrap_or(i64::MAX);
        let worse = was.is_some_and(|w| now.fail > w.fail);
        let fail = match was {
            Some(w) => format!("{} ({})", now.fail, moved(Some(n(w.fail)), n(now.fail))),
            None if begun => format!("{} (new)", now.fail),
            None => now.fail.to_string(),
        };
        vec![
            Cell::text(id),
            Cell::number(now.pass),
            Cell::number(fail).toned(Tone::Bad, worse),
            Cell::number(now.unknown),
            Cell::number(now.manual),
            Cell::number(now.not_applicable),
            Cell::number(now.hygiene_percent.map_or_else(String::new, |p| format!("{p} %"))),
        ]
    });
    let columns = [
        ("Framework", 28),
        ("Pass", 9),
        ("Fail", 14),
        ("Unknown", 12),
        ("Manual", 12),
        ("Not there", 13),
        ("Hygiene", 12),
    ];
    blocks.push(Block::Table {
        columns: columns.iter().map(|c| c.0.into()).collect(),
        widths: columns.iter().map(|c| c.1).collect(),
        rows: rows.collect(),
        empty: "No framework has a rule that was judged.".into(),
    });
    blocks.push(Block::Note(
        "Controls are counted by standing; hygiene is the share of passing checks and is neither risk nor compliance. Manual controls wait for a person. \"Not there\" are controls about what was proven not to be there. Unknown is never counted as passed. In parentheses stands what changed since the first day shown.".into(),
    ));
    Doc {
        v: 1,
        title: "Posture over time".into(),
        subtitle: format!("{organization}. {} to {}.", first.at.date(), last.at.date()),
        footer: format!("Posture over time, {organization}"),
        blocks,
    }
}

/// At most eight of the days, the first and the last among them.
fn thinned(days: &[Trend]) -> impl Iterator<Item = &Trend> {
    let step = days.len().div_ceil(8).max(1);
    let last = days.len().saturating_sub(1);
    days.iter().enumerate().filter(move |(i, _)| i % step == 0 || *i == last).map(|(_, d)| d)
}

/// The five layers, each by itself.
pub fn layer_report(organization: &str, at: Time, layers: &[Layer]) -> Doc {
    let mut blocks = vec![Block::Text(
        "A programme is as good as its weakest layer. Each is reported by itself, with what it cannot say.".into(),
    )];
    for layer in layers {
        blocks.push(Block::Heading(format!("{}: {}", layer.name, layer.asks)));
        blocks.push(Block::Table {
            columns: vec!["Measure".into(), "Now".into()],
            widths: vec![70, 30],
            rows: layer.facts.iter().map(|(k, v)| vec![Cell::text(k), Cell::number(v)]).collect(),
            empty: "Nothing is on record.".into(),
        });
        if layer.gaps.is_empty() {
            blocks.push(Block::Text("Nothing is known to be missing.".into()));
        } else {
            blocks.extend(layer.gaps.iter().map(|g| Block::Text(format!("Missing: {g}."))));
        }
    }
    Doc {
        v: 1,
        title: "The layers, each by itself".into(),
        subtitle: format!("{organization}. As of {}.", at.date()),
        footer: format!("Layers, {organization}"),
        blocks,
    }
}
