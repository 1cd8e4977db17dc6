//! Reports people read: Markdown, one-file HTML and PDF with charts, from the record's own values.
//!
//! A page ([`leadership`], [`audit_pack`], [`team_digest`], [`engineer_queue`]) turns values into a [`Doc`]: headings,
//! figures, tables, charts. [`markdown`], [`html`] and [`pdf`] render any [`Doc`]; a chart is drawn once and painted as
//! SVG or into the PDF. No browser, no fonts to ship, no network: the PDF uses the standard Helvetica every reader has,
//! and so speaks Western European scripts only; other letters become `?` there and stay whole in Markdown and HTML.

mod chart;
mod doc;
mod html;
mod markdown;
mod metrics;
mod pages;
mod pdf;
mod programme;

pub use chart::{Bar, Drawing, Paint, Shape};
pub use doc::{Block, Cell, Doc, Figure, Tone};
pub use html::html;
pub use markdown::markdown;
pub use pages::{
    Accounts, AuditPack, Coverage, Digest, Domain, Leadership, alignment_summary, audit_pack, engineer_queue,
    leadership, lens_report, points, team_digest,
};
pub use pdf::pdf;
pub use programme::{CloudPosture, FrameworkPosture, Layer, Trend, layer_report, trend_report};
