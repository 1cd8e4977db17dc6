//! A4 pages, laid out by hand: text, tables and charts need no more.

use crate::chart::{Drawing, Paint, Shape};
use crate::doc::{Block, Cell, Doc, Tone};
use crate::metrics::{Face, encode, fit, width, wrap};
use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str, TextStr};

const PAGE: [f32; 2] = [595.0, 842.0];
const SIDE: f32 = 48.0;
const TOP: f32 = 38.0;
const BOTTOM: f32 = 46.0;
const ROOM: f32 = PAGE[0] - 2.0 * SIDE;

struct Pages {
    done: Vec<Content>,
    now: Content,
    /// Down from the top of the page.
    y: f32,
}

impl Pages {
    fn turn(&mut self) {
        self.done.push(std::mem::replace(&mut self.now, Content::new()));
        self.y = TOP;
    }

    /// Turns the page unless there is room for `height`.
    fn need(&mut self, height: f32) {
        if self.y + height > PAGE[1] - BOTTOM && self.y > TOP {
            self.turn();
        }
    }

    fn paint(&mut self, paint: Paint, stroke: bool) {
        let [r, g, b] = paint.rgb().map(|c| f32::from(c) / 255.0);
        if stroke {
            self.now.set_stroke_rgb(r, g, b);
        } else {
            self.now.set_fill_rgb(r, g, b);
        }
    }

    /// Text with its baseline at `x`, `y` down from the top.
    fn put(&mut self, x: f32, y: f32, size: f32, face: Face, paint: Paint, text: &str) {
        self.paint(paint, false);
        let font: &[u8] = if face == Face::Bold { b"B" } else { b"P" };
        self.now
            .begin_text()
            .set_font(Name(font), size)
            .set_text_matrix([1.0, 0.0, 0.0, 1.0, x, PAGE[1] - y])
            .show(Str(&encode(text)))
            .end_text();
    }

    fn rule(&mut self, x: f32, y: f32, long: f32) {
        self.paint(Paint::Rule, true);
        self.now.set_line_width(0.6).move_to(x, PAGE[1] - y).line_to(x + long, PAGE[1] - y).stroke();
    }

    fn paragraph(&mut self, text: &str, size: f32, face: Face, paint: Paint, indent: f32) {
        let high = size * 1.36;
        for line in wrap(text, size, face, ROOM - indent) {
            self.need(high);
            self.y += high;
            self.put(SIDE + indent, self.y - size * 0.35, size, face, paint, &line);
        }
    }

    fn draw(&mut self, d: &Drawing) {
        self.need(d.height + 10.0);
        self.y += 6.0;
        let (x0, y0) = (SIDE, self.y);
        for shape in &d.shapes {
            match shape {
                Shape::Rect([x, y, w, h], paint) => {
                    self.paint(*paint, false);
                    self.now.rect(x0 + x, PAGE[1] - y0 - y - h, *w, *h).fill_nonzero();
                }
                Shape::Line(points, thick, paint) => {
                    self.paint(*paint, true);
                    self.now.set_line_width(*thick);
                    for (i, [x, y]) in points.iter().enumerate() {
                        let (x, y) = (x0 + x, PAGE[1] - y0 - y);
                        if i == 0 {
                            self.now.move_to(x, y);
                        } else {
                            self.now.line_to(x, y);
                        }
                    }
                    self.now.stroke();
                }
                Shape::Text { at: [x, y], size, bold, anchor, text, paint } => {
                    let face = if *bold { Face::Bold } else { Face::Plain };
                    let shift = width(text, *size, face) * anchor;
                    self.put(x0 + x - shift, y0 + y, *size, face, *paint, text);
                }
            }
        }
        self.y += d.height + 4.0;
    }
}

fn ink(tone: Tone) -> Paint {
    if tone == Tone::Plain { Paint::Ink } else { Paint::of(tone) }
}

/// The report as PDF, A4.
pub fn pdf(doc: &Doc) -> Vec<u8> {
    let mut p = Pages { done: Vec::new(), now: Content::new(), y: TOP };
    p.paragraph(&doc.title, 19.0, Face::Bold, Paint::Ink, 0.0);
    p.paragraph(&doc.subtitle, 9.5, Face::Plain, Paint::Grey, 0.0);
    for (i, block) in doc.blocks.iter().enumerate() {
        if let Some(drawing) = Drawing::of(block, ROOM) {
            p.draw(&drawing);
            continue;
        }
        match block {
            Block::Heading(t) => {
                // A heading stays with what follows it.
                let next = doc.blocks.get(i + 1).and_then(|b| Drawing::of(b, ROOM)).map_or(28.0, |d| d.height + 12.0);
                p.need(24.0 + next);
                p.y += 8.0;
                p.paragraph(t, 11.5, Face::Bold, Paint::Ink, 0.0);
            }
            Block::Text(t) => p.paragraph(&t.replace('`', ""), 9.5, Face::Plain, Paint::Ink, 0.0),
            Block::Note(t) => p.paragraph(&t.replace('`', ""), 8.0, Face::Plain, Paint::Grey, 0.0),
            Block::Figures(list) => figures(&mut p, list),
            Block::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    p.need(14.0);
                    let mark = format!("{}.", n + 1);
                    p.put(SIDE, p.y + 9.6, 9.5, Face::Bold, Paint::Grey, &mark);
                    p.paragraph(item, 9.5, Face::Plain, Paint::Ink, 16.0);
                }
            }
            Block::Table { columns, widths, rows, empty } => table(&mut p, columns, widths, rows, empty),
            Block::Charts(_) => {}
            Block::Bars { title, .. } | Block::Steps { title, .. } | Block::Line { title, .. } => {
                p.paragraph(&format!("{title}: nothing to show yet."), 8.0, Face::Plain, Paint::Grey, 0.0);
            }
        }
    }
    p.turn();
    bind(p.done, doc)
}

fn figures(p: &mut Pages, list: &[crate::doc::Figure]) {
    let columns = u16::try_from(list.len().clamp(1, 4)).unwrap_or(4);
    let wide = ROOM / f32::from(columns);
    for row in list.chunks(columns.into()) {
        let notes: Vec<_> = row.iter().map(|f| wrap(&f.note, 8.0, Face::Plain, wide - 12.0)).collect();
        let deepest = u16::try_from(notes.iter().map(Vec::len).max().unwrap_or(0)).unwrap_or(9);
        let high = 40.0 + 10.5 * f32::from(deepest);
        p.need(high);
        let mut x = SIDE;
        for (f, note) in row.iter().zip(notes) {
            p.put(x, p.y + 16.0, 8.0, Face::Plain, Paint::Grey, &fit(&f.label, 8.0, Face::Plain, wide - 12.0));
            p.put(x, p.y + 34.0, 17.0, Face::Bold, ink(f.tone), &fit(&f.value, 17.0, Face::Bold, wide - 12.0));
            let mut y = p.y + 46.0;
            for line in note {
                p.put(x, y, 8.0, Face::Plain, Paint::Grey, &line);
                y += 10.5;
            }
            x += wide;
        }
        p.y += high + 6.0;
    }
}

fn table(p: &mut Pages, columns: &[String], widths: &[u16], rows: &[Vec<Cell>], empty: &str) {
    if rows.is_empty() {
        return p.paragraph(empty, 9.5, Face::Plain, Paint::Ink, 0.0);
    }
    let shares: Vec<f32> = (0..columns.len()).map(|i| f32::from(widths.get(i).copied().unwrap_or(1).max(1))).collect();
    let sum: f32 = shares.iter().sum::<f32>().max(1.0);
    let wides: Vec<f32> = shares.iter().map(|s| ROOM * s / sum).collect();
    const SIZE: f32 = 8.5;
    const HIGH: f32 = 10.4;
    const GAP: f32 = 8.0;
    let right = |i: usize| rows.iter().any(|r| r.get(i).is_some_and(|c| c.right));
    let head = |p: &mut Pages| {
        let mut x = SIDE;
        for (i, (c, w)) in columns.iter().zip(&wides).enumerate() {
            let text = fit(c, 8.0, Face::Plain, w - GAP);
            let shift = if right(i) { w - GAP - width(&text, 8.0, Face::Plain) } else { 0.0 };
            p.put(x + shift, p.y + 11.0, 8.0, Face::Plain, Paint::Grey, &text);
            x += w;
        }
        p.y += 15.0;
        p.rule(SIDE, p.y, ROOM);
    };
    p.need(15.0 + 2.0 * HIGH);
    head(p);
    for row in rows {
        let cells: Vec<(Vec<String>, &Cell)> =
            row.iter().zip(&wides).map(|(c, w)| (wrap(&c.text, SIZE, face(c), w - GAP), c)).collect();
        let deepest = u16::try_from(cells.iter().map(|c| c.0.len()).max().unwrap_or(1)).unwrap_or(50);
        let high = HIGH * f32::from(deepest) + 3.6;
        if p.y + high > PAGE[1] - BOTTOM {
            p.turn();
            head(p);
        }
        let mut x = SIDE;
        for ((lines, c), w) in cells.iter().zip(&wides) {
            let mut y = p.y + HIGH;
            for line in lines {
                let shift = if c.right { w - GAP - width(line, SIZE, face(c)) } else { 0.0 };
                p.put(x + shift, y, SIZE, face(c), ink(c.tone), line);
                y += HIGH;
            }
            x += w;
        }
        p.y += high;
        p.rule(SIDE, p.y, ROOM);
    }
    p.y += 2.0;
}

fn face(c: &Cell) -> Face {
    if c.tone == Tone::Bad { Face::Bold } else { Face::Plain }
}

fn bind(pages: Vec<Content>, doc: &Doc) -> Vec<u8> {
    let (catalog, tree, plain, bold, info) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4), Ref::new(5));
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    let total = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    let page_ref = |i: i32| Ref::new(6 + 2 * i);
    pdf.pages(tree).kids((0..total).map(page_ref)).count(total);
    pdf.type1_font(plain).base_font(Name(b"Helvetica")).encoding_predefined(Name(b"WinAnsiEncoding"));
    pdf.type1_font(bold).base_font(Name(b"Helvetica-Bold")).encoding_predefined(Name(b"WinAnsiEncoding"));
    pdf.document_info(info).title(TextStr(&doc.title)).producer(TextStr("Plumbline"));
    for (content, i) in pages.into_iter().zip(0..) {
        let mut foot = Pages { done: Vec::new(), now: content, y: TOP };
        let line = PAGE[1] - 32.0;
        foot.rule(SIDE, line - 12.0, ROOM);
        let number = format!("{} / {total}", i + 1);
        let wide = width(&number, 8.0, Face::Plain);
        foot.put(SIDE, line, 8.0, Face::Plain, Paint::Grey, &fit(&doc.footer, 8.0, Face::Plain, ROOM - wide - 12.0));
        foot.put(SIDE + ROOM - wide, line, 8.0, Face::Plain, Paint::Grey, &number);
        let body = Ref::new(7 + 2 * i);
        let mut page = pdf.page(page_ref(i));
        page.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE[0], PAGE[1])).contents(body);
        page.resources().fonts().pair(Name(b"P"), plain).pair(Name(b"B"), bold);
        drop(page);
        pdf.stream(body, &foot.now.finish());
    }
    pdf.finish()
}
