//! What a report is made of.

use crate::chart::Bar;

/// Whether something is good or bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Neither.
    #[default]
    Plain,
    /// Good.
    Good,
    /// Needs an eye.
    Warn,
    /// Bad.
    Bad,
}

/// One number to be seen first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// What it counts.
    pub label: String,
    /// The number, as text.
    pub value: String,
    /// What it means, or what it was.
    pub note: String,
    /// Whether it is good or bad news.
    pub tone: Tone,
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// Numbers stand at the right.
    pub right: bool,
    /// Whether it is good or bad news.
    pub tone: Tone,
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), right: false, tone: Tone::Plain }
    }

    /// A number.
    pub fn number(value: impl ToString) -> Self {
        Self { text: value.to_string(), right: true, tone: Tone::Plain }
    }

    /// With a tone, when `when` holds.
    #[must_use]
    pub fn toned(mut self, tone: Tone, when: bool) -> Self {
        if when {
            self.tone = tone;
        }
        self
    }
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A smaller paragraph: a limit, a definition.
    Note(String),
    /// Figures side by side; at most four read well.
    Figures(Vec<Figure>),
    /// A numbered list.
    List(Vec<String>),
    /// A table. `columns` name the head; `widths` are shares of the page.
    Table {
        /// The head.
        columns: Vec<String>,
        /// Shares of the width.
        widths: Vec<u16>,
        /// The rows.
        rows: Vec<Vec<Cell>>,
        /// What to say when there are none.
        empty: String,
    },
    /// Horizontal bars.
    Bars {
        /// What they show.
        title: String,
        /// The bars.
        bars: Vec<Bar>,
    },
    /// Steps from a beginning to an end: what came, what went.
    Steps {
        /// What they show.
        title: String,
        /// The first and last are totals, those between are changes.
        bars: Vec<Bar>,
    },
    /// Charts side by side.
    Charts(Vec<Block>),
    /// A line over time.
    Line {
        /// What it shows.
        title: String,
        /// Labels and values, in order.
        points: Vec<(String, i64)>,
    },
}

/// A report.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Doc {
    /// Format version; 1.
    pub v: u16,
    /// Title.
    pub title: String,
    /// One line below it: scope and period.
    pub subtitle: String,
    /// One line at the foot of each page.
    pub footer: String,
    /// The parts.
    pub blocks: Vec<Block>,
}
