//! Markdown for tickets, chats and repositories.

use crate::doc::{Block, Doc, Tone};

fn clean(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}

fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => " (!)",
        Tone::Warn => " (?)",
        _ => "",
    }
}

/// The report as Markdown. Charts become tables: every number is there to be read.
pub fn markdown(doc: &Doc) -> String {
    let mut out = format!("# {}\n\n{}\n", clean(&doc.title), clean(&doc.subtitle));
    doc.blocks.iter().for_each(|b| write(b, &mut out));
    out.push_str(&format!("\n---\n{}\n", clean(&doc.footer)));
    out
}

fn write(block: &Block, out: &mut String) {
    if let Block::Charts(blocks) = block {
        return blocks.iter().for_each(|b| write(b, out));
    }
    out.push('\n');
    match block {
        Block::Charts(_) => {}
        Block::Heading(t) => out.push_str(&format!("## {}\n", clean(t))),
        Block::Text(t) => out.push_str(&format!("{}\n", clean(t))),
        Block::Note(t) => out.push_str(&format!("_{}_\n", clean(t))),
        Block::Figures(list) => {
            for f in list {
                out.push_str(&format!(
                    "- **{}**: {}{} {}\n",
                    clean(&f.label),
                    clean(&f.value),
                    mark(f.tone),
                    clean(&f.note)
                ));
            }
        }
        Block::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(&format!("{}. {}\n", i + 1, clean(item)));
            }
        }
        Block::Table { rows, empty, .. } if rows.is_empty() => out.push_str(&format!("{}\n", clean(empty))),
        Block::Table { columns, rows, .. } => {
            let heads: Vec<_> = columns.iter().map(|c| clean(c)).collect();
            let right = |i: usize| rows.iter().any(|r| r.get(i).is_some_and(|c| c.right));
            let rule: Vec<_> = (0..columns.len()).map(|i| if right(i) { "--:" } else { "---" }).collect();
            out.push_str(&format!("| {} |\n| {} |\n", heads.join(" | "), rule.join(" | ")));
            for r in rows {
                let cells: Vec<_> = r.iter().map(|c| clean(&c.text) + mark(c.tone)).collect();
                out.push_str(&format!("| {} |\n", cells.join(" | ")));
            }
        }
        Block::Bars { title, bars } | Block::Steps { title, bars } => {
            out.push_str(&format!("| {} | |\n| --- | --: |\n", clean(title)));
            for b in bars {
                out.push_str(&format!("| {} | {} |\n", clean(&b.label), clean(&b.shown)));
            }
        }
        Block::Line { title, points } => {
            out.push_str(&format!("| {} | |\n| --- | --: |\n", clean(title)));
            for (label, v) in points {
                out.push_str(&format!("| {} | {} |\n", clean(label), crate::pages::points(*v)));
            }
        }
    }
}
