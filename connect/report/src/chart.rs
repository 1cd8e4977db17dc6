//! Charts, drawn once as plain shapes and painted as SVG or into a PDF.

use crate::doc::{Block, Tone};
use crate::metrics::{Face, fit, width};

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bar {
    /// What it is.
    pub label: String,
    /// Its length; may be negative for steps.
    pub value: i64,
    /// What is written at its end.
    pub shown: String,
    /// Whether it is good or bad news.
    pub tone: Tone,
}

/// A colour of the report's small palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Paint {
    /// Text.
    Ink,
    /// Lesser text.
    Grey,
    /// Lines.
    Rule,
    /// Neutral bars and lines.
    Blue,
    /// Good.
    Green,
    /// Needs an eye.
    Amber,
    /// Bad.
    Red,
}

impl Paint {
    /// Red, green and blue, 0 to 255. Each reads on white with a contrast of at least 4.5 but the rules.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Ink => [0x1b, 0x1b, 0x1f],
            Self::Grey => [0x5c, 0x5f, 0x66],
            Self::Rule => [0xd8, 0xd8, 0xde],
            Self::Blue => [0x2b, 0x5f, 0x9e],
            Self::Green => [0x1f, 0x7a, 0x4a],
            Self::Amber => [0x95, 0x62, 0x00],
            Self::Red => [0xb3, 0x26, 0x1e],
        }
    }

    /// The paint of a tone.
    pub fn of(tone: Tone) -> Self {
        match tone {
            Tone::Plain => Self::Blue,
            Tone::Good => Self::Green,
            Tone::Warn => Self::Amber,
            Tone::Bad => Self::Red,
        }
    }

    /// `#rrggbb`.
    pub fn hex(self) -> String {
        let [r, g, b] = self.rgb();
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

/// A shape; lengths in points, y downwards from the top.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub enum Shape {
    /// A filled box: x, y, width, height.
    Rect([f32; 4], Paint),
    /// A line through points.
    Line(Vec<[f32; 2]>, f32, Paint),
    /// Text with its baseline at x, y; `anchor` 0 starts there, 1 ends there, 0.5 is centred.
    Text {
        /// Where.
        at: [f32; 2],
        /// Size in points.
        size: f32,
        /// Bold.
        bold: bool,
        /// 0, 0.5 or 1.
        anchor: f32,
        /// The text.
        text: String,
        /// Its paint.
        paint: Paint,
    },
}

impl Shape {
    fn moved(self, right: f32) -> Self {
        match self {
            Self::Rect([x, y, w, h], paint) => Self::Rect([x + right, y, w, h], paint),
            Self::Line(points, thick, paint) => {
                Self::Line(points.into_iter().map(|[x, y]| [x + right, y]).collect(), thick, paint)
            }
            Self::Text { at: [x, y], size, bold, anchor, text, paint } => {
                Self::Text { at: [x + right, y], size, bold, anchor, text, paint }
            }
        }
    }
}

/// A drawing of shapes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Drawing {
    /// Width in points.
    pub width: f32,
    /// Height in points.
    pub height: f32,
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// The shapes, painted in order.
    pub shapes: Vec<Shape>,
}

fn text(at: [f32; 2], anchor: f32, paint: Paint, text: impl Into<String>) -> Shape {
    Shape::Text { at, size: 8.5, bold: false, anchor, text: text.into(), paint }
}

impl Drawing {
    /// The drawing of a chart, as wide as `width` points; none for other blocks and empty charts.
    pub fn of(block: &Block, width: f32) -> Option<Self> {
        match block {
            Block::Bars { title, bars } if !bars.is_empty() => Some(bars_of(title, bars, width)),
            Block::Steps { title, bars } if !bars.is_empty() => Some(steps_of(title, bars, width)),
            Block::Line { title, points } if points.len() > 1 => Some(line_of(title, points, width)),
            Block::Charts(blocks) => {
                let gap = 24.0;
                let each = (width - gap * count(blocks.len().saturating_sub(1))) / count(blocks.len().max(1));
                let mut parts = blocks.iter().filter_map(|b| Self::of(b, each));
                let mut whole = Self { width, ..parts.next()? };
                for (i, part) in parts.enumerate() {
                    let shift = (each + gap) * count(i + 1);
                    whole.height = whole.height.max(part.height);
                    whole.title = format!("{}; {}", whole.title, part.title);
                    whole.shapes.extend(part.shapes.into_iter().map(|s| s.moved(shift)));
                }
                Some(whole)
            }
            _ => None,
        }
    }

    fn new(title: &str, width: f32, height: f32) -> Self {
        let head =
            Shape::Text { at: [0.0, 10.0], size: 9.0, bold: true, anchor: 0.0, text: title.into(), paint: Paint::Ink };
        Self { width, height, title: title.into(), shapes: vec![head] }
    }

    /// The drawing as SVG that scales with its place.
    pub fn svg(&self) -> String {
        let e = crate::html::escape;
        let mut out = format!(
            "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"Helvetica,Arial,sans-serif\">",
            self.width,
            self.height,
            e(&self.title)
        );
        for shape in &self.shapes {
            match shape {
                Shape::Rect([x, y, w, h], paint) => {
                    out.push_str(&format!(
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"{}\"/>",
                        paint.hex()
                    ));
                }
                Shape::Line(points, thick, paint) => {
                    let list: Vec<_> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
                    out.push_str(&format!(
                        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{thick}\" stroke-linejoin=\"round\"/>",
                        list.join(" "), paint.hex()
                    ));
                }
                Shape::Text { at: [x, y], size, bold, anchor, text, paint } => {
                    let anchor = if *anchor > 0.9 {
                        "end"
                    } else if *anchor > 0.1 {
                        "middle"
                    } else {
                        "start"
                    };
                    let weight = if *bold { " font-weight=\"700\"" } else { "" };
                    // Laid out for Helvetica; where another font stands in for it, it takes the same room.
                    let length = width(text, *size, if *bold { Face::Bold } else { Face::Plain });
                    out.push_str(&format!(
                        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{weight} textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\">{}</text>",
                        paint.hex(), e(text)
                    ));
                }
            }
        }
        out.push_str("</svg>");
        out
    }
}

const ROW: f32 = 16.0;
const TOP: f32 = 20.0;

#[allow(clippy::cast_precision_loss)] // a chart shows three digits
fn float(n: i64) -> f32 {
    n as f32
}

fn count(n: usize) -> f32 {
    u16::try_from(n).map_or(f32::from(u16::MAX), f32::from)
}

fn label_width(bars: &[Bar], most: f32) -> f32 {
    bars.iter().map(|b| width(&b.label, 8.5, Face::Plain)).fold(0.0, f32::max).min(most) + 8.0
}

fn bars_of(title: &str, bars: &[Bar], w: f32) -> Drawing {
    let mut d = Drawing::new(title, w, TOP + ROW * count(bars.len()));
    let left = label_width(bars, w * 0.4);
    let right = bars.iter().map(|b| width(&b.shown, 8.5, Face::Plain)).fold(0.0, f32::max) + 6.0;
    let most = bars.iter().map(|b| b.value).max().unwrap_or(0).max(1);
    for (i, b) in bars.iter().enumerate() {
        let y = TOP + ROW * count(i);
        let length = ((w - left - right) * float(b.value.max(0)) / float(most)).max(1.0);
        d.shapes.push(text([left - 6.0, y + 10.0], 1.0, Paint::Ink, fit(&b.label, 8.5, Face::Plain, left - 8.0)));
        d.shapes.push(Shape::Rect([left, y + 2.0, length, ROW - 5.0], Paint::of(b.tone)));
        d.shapes.push(text([left + length + 4.0, y + 10.0], 0.0, Paint::Ink, b.shown.clone()));
    }
    d
}

fn steps_of(title: &str, bars: &[Bar], w: f32) -> Drawing {
    let height = 98.0;
    let mut d = Drawing::new(title, w, height);
    let (base, high) = (height - 20.0, TOP + 14.0);
    let last = bars.len().saturating_sub(1);
    // Where each bar begins and ends, as running sums; totals stand on the ground.
    let mut level = 0i64;
    let mut spans = Vec::new();
    for (i, b) in bars.iter().enumerate() {
        let from = if i == 0 || i == last { 0 } else { level };
        level = from.saturating_add(b.value);
        spans.push((from, level));
    }
    let most = spans.iter().flat_map(|(a, b)| [*a, *b]).max().unwrap_or(0).max(1);
    let y_of = |v: i64| base - (base - high) * float(v.max(0)) / float(most);
    let step = w / count(bars.len().max(1));
    d.shapes.push(Shape::Line(vec![[0.0, base], [w, base]], 0.5, Paint::Rule));
    for (i, (b, (from, to))) in bars.iter().zip(&spans).enumerate() {
        let x = step * count(i) + step * 0.14;
        let wide = step * 0.72;
        let (top, bottom) = (y_of(*from.max(to)), y_of(*from.min(to)));
        d.shapes.push(Shape::Rect([x, top, wide, (bottom - top).max(1.0)], Paint::of(b.tone)));
        d.shapes.push(text([x + wide / 2.0, top - 3.0], 0.5, Paint::Ink, b.shown.clone()));
        d.shapes.push(text(
            [x + wide / 2.0, base + 12.0],
            0.5,
            Paint::Grey,
            fit(&b.label, 8.5, Face::Plain, step - 4.0),
        ));
        if i < last {
            let y = y_of(*to);
            d.shapes.push(Shape::Line(vec![[x + wide, y], [x + step, y]], 0.5, Paint::Grey));
        }
    }
    d
}

fn line_of(title: &str, points: &[(String, i64)], w: f32) -> Drawing {
    let height = 98.0;
    let mut d = Drawing::new(title, w, height);
    let (base, high) = (height - 20.0, TOP + 8.0);
    // The axis begins at zero: a report must not make small moves look large.
    let most = points.iter().map(|p| p.1).max().unwrap_or(0).max(1);
    let left = width(&crate::pages::points(most), 8.5, Face::Plain) + 6.0;
    let right = w - width(&crate::pages::points(most), 8.5, Face::Bold) - 8.0;
    let step = (right - left) / count(points.len().saturating_sub(1).max(1));
    let at = |i: usize, v: i64| [left + step * count(i), base - (base - high) * float(v.max(0)) / float(most)];
    for share in [0, 1, 2] {
        let v = most * share / 2;
        let [_, y] = at(0, v);
        d.shapes.push(Shape::Line(vec![[left, y], [right, y]], 0.5, Paint::Rule));
        d.shapes.push(text([left - 4.0, y + 3.0], 1.0, Paint::Grey, crate::pages::points(v)));
    }
    d.shapes.push(Shape::Line(points.iter().enumerate().map(|(i, p)| at(i, p.1)).collect(), 1.6, Paint::Blue));
    // As many labels as there is room for; the last one always.
    let widest = points.iter().map(|p| width(&p.0, 8.5, Face::Plain)).fold(0.0, f32::max) + 8.0;
    // The first and the last stand inside the axis, so that beside them a label has half its width less room.
    let every = (1..points.len()).find(|n| count(*n) * step >= widest * 1.5).unwrap_or(points.len());
    let last = points.len().saturating_sub(1);
    for (i, (label, v)) in points.iter().enumerate() {
        let [x, y] = at(i, *v);
        if i == last || i % every == 0 && last - i >= every {
            d.shapes.push(text(
                [x, base + 12.0],
                if i == 0 {
                    0.0
                } else if i == last {
                    1.0
                } else {
                    0.5
                },
                Paint::Grey,
                label.clone(),
            ));
        }
        if i == last {
            d.shapes.push(Shape::Rect([x - 2.0, y - 2.0, 4.0, 4.0], Paint::Blue));
            d.shapes.push(Shape::Text {
                at: [x + 5.0, y + 3.0],
                size: 8.5,
                bold: true,
                anchor: 0.0,
                text: crate::pages::points(*v),
                paint: Paint::Ink,
            });
        }
    }
    d
}
