//! Widths of Helvetica's letters, as Adobe's font metrics for the standard fonts state them, and text that fits a width.

/// Plain or bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Plain,
    Bold,
}

/// Thousandths of the size, for the characters from space to tilde.
const PLAIN: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
];

fn units(c: char, face: Face) -> u16 {
    let table = if face == Face::Bold { &BOLD } else { &PLAIN };
    let ascii = |c: char| table.get((c as usize).wrapping_sub(32)).copied();
    ascii(c).unwrap_or(match c {
        '—' | '…' => 1000,
        '‘' | '’' => 222,
        '“' | '”' => 333,
        '•' => 350,
        'ì'..='ï' => 278,
        'À'..='Å' | 'È'..='Ë' => 667,
        'Ì'..='Ï' => 278,
        'Ò'..='Ö' | 'Ø' => 778,
        'Ù'..='Ü' => 722,
        'ß' => 611,
        'ç' => 500,
        _ => 556,
    })
}

/// The width of a line of text, in points.
pub(crate) fn width(text: &str, size: f32, face: Face) -> f32 {
    text.chars().map(|c| f32::from(units(c, face))).sum::<f32>() * size / 1000.0
}

/// The text, cut with an ellipsis if it is wider than `room`.
pub(crate) fn fit(text: &str, size: f32, face: Face, room: f32) -> String {
    if width(text, size, face) <= room {
        return text.into();
    }
    let mut out = String::new();
    let mut used = width("…", size, face);
    for c in text.chars() {
        used += f32::from(units(c, face)) * size / 1000.0;
        if used > room {
            break;
        }
        out.push(c);
    }
    out.trim_end().to_owned() + "…"
}

/// Lines that are no wider than `room`; words that are wider (resource names) are broken.
pub(crate) fn wrap(text: &str, size: f32, face: Face, room: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&joined, size, face) <= room {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if width(&line, size, face) > room && line.chars().count() > 1 {
                // Names break after their own joints where they have one in the second half of the line.
                let joint = line.rfind(['.', '-', '/', ':', '_']).map(|i| i + 1);
                let at = joint
                    .filter(|i| *i > line.len() / 2 && *i < line.len() - c.len_utf8())
                    .unwrap_or(line.len() - c.len_utf8());
                let rest = line.split_off(at);
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text in the encoding of the standard fonts (Windows 1252); what it lacks becomes the nearest it has.
pub(crate) fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{ff}' => out.push(u8::try_from(u32::from(c)).unwrap_or(b'?')),
            '€' => out.push(0x80),
            '…' => out.push(0x85),
            '‘' => out.push(0x91),
            '’' => out.push(0x92),
            '“' => out.push(0x93),
            '”' => out.push(0x94),
            '•' => out.push(0x95),
            '–' => out.push(0x96),
            '—' => out.push(0x97),
            '−' => out.push(b'-'),
            '→' => out.extend_from_slice(b"->"),
            '≥' => out.extend_from_slice(b">="),
            '≤' => out.extend_from_slice(b"<="),
            c if c.is_whitespace() => out.push(b' '),
            _ => out.push(b'?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let text = "arn:aws:s3:::a-very-long-bucket-name-that-fits-nowhere is public";
        let lines = wrap(text, 9.0, Face::Plain, 80.0);
        assert!(lines.len() > 3 && lines.iter().all(|l| width(l, 9.0, Face::Plain) <= 80.0));
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert!(fit(text, 9.0, Face::Bold, 60.0).ends_with('…'));
        assert_eq!(encode("ä → 日"), b"\xe4 -> ?");
        assert_eq!(wrap("", 9.0, Face::Plain, 80.0), [""]);
    }
}
