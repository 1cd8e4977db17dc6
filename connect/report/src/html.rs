//! One HTML file that needs nothing else: style and charts are inside, and it prints well.

use crate::chart::{Drawing, Paint};
use crate::doc::{Block, Doc, Tone};

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text with what stands between backticks set as code.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len() % 2 == 0 {
        return escape(text);
    }
    let part = |(i, p): (usize, &&str)| if i % 2 == 1 { format!("<code>{}</code>", escape(p)) } else { escape(p) };
    parts.iter().enumerate().map(part).collect()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
    }
}

/// The report as one HTML file.
pub fn html(doc: &Doc) -> String {
    let e = escape;
    let mut body = String::new();
    for block in &doc.blocks {
        if let Some(drawing) = Drawing::of(block, 500.0) {
            body.push_str(&format!("<figure>{}</figure>\n", drawing.svg()));
            continue;
        }
        match block {
            Block::Heading(t) => body.push_str(&format!("<h2>{}</h2>\n", e(t))),
            Block::Text(t) => body.push_str(&format!("<p>{}</p>\n", prose(t))),
            Block::Note(t) => body.push_str(&format!("<p class=note>{}</p>\n", prose(t))),
            Block::Figures(list) => {
                body.push_str("<dl class=figures>\n");
                for f in list {
                    let (label, value, note) = (e(&f.label), e(&f.value), e(&f.note));
                    body.push_str(&format!(
                        "<div><dt>{label}</dt><dd class=\"{}\">{value}</dd><dd class=note>{note}</dd></div>\n",
                        class(f.tone)
                    ));
                }
                body.push_str("</dl>\n");
            }
            Block::List(items) => {
                let items: String = items.iter().map(|i| format!("<li>{}</li>\n", prose(i))).collect();
                body.push_str(&format!("<ol>\n{items}</ol>\n"));
            }
            Block::Table { columns, widths, rows, empty } => {
                if rows.is_empty() {
                    body.push_str(&format!("<p>{}</p>\n", e(empty)));
                    continue;
                }
                let right = |i: usize| rows.iter().any(|r| r.get(i).is_some_and(|c| c.right));
                let all = widths.iter().map(|w| u32::from(*w)).sum::<u32>().max(1);
                let cols: String =
                    widths.iter().map(|w| format!("<col style=\"width:{}%\">", u32::from(*w) * 100 / all)).collect();
                body.push_str(&format!("<table><colgroup>{cols}</colgroup><thead><tr>"));
                for (i, c) in columns.iter().enumerate() {
                    body.push_str(&format!("<th scope=col{}>{}</th>", if right(i) { " class=n" } else { "" }, e(c)));
                }
                body.push_str("</tr></thead><tbody>\n");
                for r in rows {
                    body.push_str("<tr>");
                    for c in r {
                        let n = if c.right { "n " } else { "" };
                        body.push_str(&format!("<td class=\"{n}{}\">{}</td>", class(c.tone), e(&c.text)));
                    }
                    body.push_str("</tr>\n");
                }
                body.push_str("</tbody></table>\n");
            }
            Block::Charts(_) => {}
            // A chart without anything to show says so.
            Block::Bars { title, .. } | Block::Steps { title, .. } | Block::Line { title, .. } => {
                body.push_str(&format!("<p class=note>{}: nothing to show yet.</p>\n", e(title)));
            }
        }
    }
    let (ink, grey, rule) = (Paint::Ink.hex(), Paint::Grey.hex(), Paint::Rule.hex());
    let (green, amber, red) = (Paint::Green.hex(), Paint::Amber.hex(), Paint::Red.hex());
    format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>{title}</title><style>\n\
         body{{font:15px/1.5 system-ui,sans-serif;color:{ink};background:#fff;max-width:52rem;margin:2rem auto;padding:0 1rem}}\n\
         h1{{font-size:1.6rem;margin:0}}h2{{font-size:1.1rem;margin:1.8rem 0 .4rem}}.sub,.note,footer{{color:{grey}}}.note{{font-size:.85rem}}\n\
         table{{border-collapse:collapse;width:100%;table-layout:fixed}}th,td{{text-align:left;padding:.3rem .5rem .3rem 0;border-bottom:1px solid {rule};vertical-align:top;overflow-wrap:break-word}}th{{font-size:.85rem;color:{grey}}}\n\
         .n{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}}.good{{color:{green}}}.warn{{color:{amber}}}.bad{{color:{red};font-weight:600}}\n\
         .figures{{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem;margin:1.2rem 0}}.figures dt{{font-size:.85rem;color:{grey}}}.figures dd{{margin:0}}.figures dd:nth-of-type(1){{font-size:1.6rem;font-weight:600;line-height:1.2}}\n\
         figure{{margin:1rem 0}}svg{{width:100%;height:auto}}footer{{margin-top:2rem;border-top:1px solid {rule};padding-top:.5rem;font-size:.85rem}}\n\
         @page{{size:A4;margin:16mm}}@media print{{body{{margin:0;max-width:none;font-size:10pt}}tr,figure,.figures div{{break-inside:avoid}}h2{{break-after:avoid}}}}\n\
         </style></head><body>\n<h1>{title}</h1>\n<p class=sub>{sub}</p>\n{body}<footer>{footer}</footer>\n</body></html>\n",
        title = e(&doc.title),
        sub = e(&doc.subtitle),
        footer = e(&doc.footer),
    )
}
