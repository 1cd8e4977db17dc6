//! Gzip and ZIP with limits: a small file may not become a large one without end.

use crate::mapping::Limits;
use std::{
    cell::Cell,
    io::{self, BufRead, BufReader, Cursor, Read},
    rc::Rc,
};

/// What kind of bytes begin here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Gzip,
    Zip,
    Parquet,
    Plain,
}

/// Looks at the first bytes without taking them.
pub(crate) fn shape(input: &mut dyn BufRead) -> io::Result<Shape> {
    let head = input.fill_buf()?;
    Ok(match head {
        [0x1f, 0x8b, ..] => Shape::Gzip,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Shape::Zip,
        [b'P', b'A', b'R', b'1', ..] => Shape::Parquet,
        _ => Shape::Plain,
    })
}

/// Counts what passes.
struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.set(self.count.get().saturating_add(n as u64));
        Ok(n)
    }
}

/// Ends in an error when too much comes out, absolutely or for what went in.
struct Guard<R> {
    inner: R,
    packed: Option<Rc<Cell<u64>>>,
    unpacked: u64,
    limits: Limits,
}

/// Below this size a high ratio does no harm.
const RATIO_FROM: u64 = 1 << 20;

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.unpacked = self.unpacked.saturating_add(n as u64);
        if self.unpacked > self.limits.unpacked_bytes {
            return Err(io::Error::other(format!("more than {} bytes of content", self.limits.unpacked_bytes)));
        }
        if let Some(packed) = &self.packed
            && self.unpacked > RATIO_FROM
            && self.unpacked / packed.get().max(1) > self.limits.ratio
        {
            return Err(io::Error::other(format!("grows more than {} times when unpacked", self.limits.ratio)));
        }
        Ok(n)
    }
}

/// Text in UTF-8 without a mark of its encoding, out of UTF-8 or UTF-16 that begins with one, as spreadsheets and shells of
/// Windows write it. Without a mark it is UTF-8.
fn unmarked<'a>(mut input: Box<dyn BufRead + 'a>) -> Result<Box<dyn BufRead + 'a>, String> {
    let (mark, big) = match input.fill_buf().map_err(|e| format!("cannot be read: {e}"))? {
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        [0xff, 0xfe, ..] => (2, Some(false)),
        [0xfe, 0xff, ..] => (2, Some(true)),
        _ => return Ok(input),
    };
    input.consume(mark);
    Ok(match big {
        None => input,
        Some(big) => Box::new(BufReader::with_capacity(
            64 << 10,
            Utf16 { input, big, unit: None, high: None, ready: Vec::new(), at: 0 },
        )),
    })
}

/// UTF-16 as UTF-8, piece by piece; what is no text becomes U+FFFD.
struct Utf16<'a> {
    input: Box<dyn BufRead + 'a>,
    /// Whether the more significant byte comes first.
    big: bool,
    /// The first byte of a unit.
    unit: Option<u8>,
    /// The first unit of a pair.
    high: Option<u16>,
    ready: Vec<u8>,
    at: usize,
}

impl Utf16<'_> {
    fn put(&mut self, c: char) {
        self.ready.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn take(&mut self, unit: u16) {
        let decoded = match self.high.take() {
            Some(high) => char::decode_utf16([high, unit]).next(),
            None if (0xd800..0xdc00).contains(&unit) => {
                self.high = Some(unit);
                return;
            }
            None => char::decode_utf16([unit]).next(),
        };
        self.put(decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

impl Read for Utf16<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let bytes = self.input.fill_buf()?.to_vec();
            if bytes.is_empty() {
                // Half a unit or half a pair is left at the end.
                if self.unit.take().is_some() | self.high.take().is_some() {
                    self.put(char::REPLACEMENT_CHARACTER);
                    continue;
                }
                return Ok(0);
            }
            self.input.consume(bytes.len());
            for byte in bytes {
                match self.unit.take() {
                    None => self.unit = Some(byte),
                    Some(first) if self.big => self.take(u16::from_be_bytes([first, byte])),
                    Some(first) => self.take(u16::from_le_bytes([first, byte])),
                }
            }
        }
        let rest = self.ready.get(self.at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n;
        Ok(n)
    }
}

/// The plain text inside `input`: as it is, out of gzip, or the CSV and JSON members of a ZIP one after another.
pub(crate) fn open<'a>(input: &'a mut dyn BufRead, limits: &Limits) -> Result<Box<dyn BufRead + 'a>, String> {
    let limits = *limits;
    match shape(input).map_err(|e| format!("cannot be read: {e}"))? {
        Shape::Plain => unmarked(Box::new(BufReader::new(Guard { inner: input, packed: None, unpacked: 0, limits }))),
        Shape::Gzip => {
            let count = Rc::new(Cell::new(0));
            let packed = BufReader::with_capacity(64 << 10, Counted { inner: input, count: count.clone() });
            let inner = flate2::bufread::MultiGzDecoder::new(packed);
            let guard = Guard { inner, packed: Some(count), unpacked: 0, limits };
            unmarked(Box::new(BufReader::with_capacity(64 << 10, guard)))
        }
        Shape::Zip => {
            let archive = Zip::read(whole(input, &limits)?)?;
            if archive.find("xl/workbook.xml").is_some() {
                return Err("is an XLSX workbook, which only records of accounts may be".into());
            }
            let mut text = Vec::new();
            let mut first = true;
            for entry in archive.entries.iter().filter(|e| is_text(&e.name)) {
                let mut part = Vec::new();
                unmarked(Box::new(Cursor::new(archive.unpack(entry, &limits)?)))?
                    .read_to_end(&mut part)
                    .map_err(|e| format!("cannot be read: {e}"))?;
                // Parts of one export repeat their heading.
                let part = if first || !entry.name.to_ascii_lowercase().ends_with(".csv") {
                    part.as_slice()
                } else {
                    part.iter().position(|b| *b == b'\n').and_then(|at| part.get(at + 1..)).unwrap_or_default()
                };
                first = false;
                if text.len() + part.len() > limits.whole_bytes.saturating_mul(4) {
                    return Err(format!("its members hold more than {} bytes", limits.whole_bytes.saturating_mul(4)));
                }
                text.extend_from_slice(part);
                if text.last().is_some_and(|b| *b != b'\n') {
                    text.push(b'\n');
                }
            }
            if first {
                return Err("holds no .csv, .json or .jsonl member".into());
            }
            Ok(Box::new(Cursor::new(text)))
        }
        Shape::Parquet => Err("is Parquet, which is not read; choose the CSV form of the export".into()),
    }
}

fn is_text(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".csv", ".json", ".jsonl", ".ndjson"].iter().any(|end| name.ends_with(end))
}

/// Everything in `input`, if it is not too much.
pub(crate) fn whole(input: &mut dyn BufRead, limits: &Limits) -> Result<Vec<u8>, String> {
    let most = limits.whole_bytes as u64;
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is larger than {most} bytes, the most that is held whole"));
    }
    Ok(bytes)
}

/// A member of a ZIP archive.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    method: u16,
    packed: usize,
    offset: usize,
}

/// A ZIP archive in memory, read by its central directory (APPNOTE.TXT 4.3.12); no encryption, no ZIP64.
pub(crate) struct Zip {
    bytes: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let b = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes(b.try_into().ok()?)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let b = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(b.try_into().ok()?)).ok()
}

/// Members a ZIP may have.
const MOST_ENTRIES: usize = 10_000;

impl Zip {
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let broken = || "is a broken ZIP archive".to_owned();
        // The end record is 22 bytes and may be followed by a comment of at most 65,535.
        let from = bytes.len().saturating_sub(22 + 65_535);
        let tail = bytes.get(from..).unwrap_or_default();
        let end = from + tail.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(broken)?;
        let count = u16_at(&bytes, end + 10).ok_or_else(broken)?;
        let mut at = u32_at(&bytes, end + 16).ok_or_else(broken)?;
        if count > MOST_ENTRIES {
            return Err(format!("holds more than {MOST_ENTRIES} members"));
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            if bytes.get(at..at + 4) != Some(b"PK\x01\x02") {
                return Err(broken());
            }
            let field = |offset| u16_at(&bytes, at + offset).ok_or_else(broken);
            let long = |offset| u32_at(&bytes, at + offset).ok_or_else(broken);
            if field(8)? & 1 == 1 {
                return Err("is encrypted".into());
            }
            let (name_len, extra, comment) = (field(28)?, field(30)?, field(32)?);
            let name = bytes.get(at + 46..at + 46 + name_len).ok_or_else(broken)?;
            entries.push(Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                method: field(10)? as u16,
                packed: long(20)?,
                offset: long(42)?,
            });
            at += 46 + name_len + extra + comment;
        }
        Ok(Self { bytes, entries })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name.eq_ignore_ascii_case(name))
    }

    /// The content of a member; what its header claims about the size is not believed.
    pub(crate) fn unpack(&self, entry: &Entry, limits: &Limits) -> Result<Vec<u8>, String> {
        let broken = || format!("member `{}` is broken", entry.name.chars().take(80).collect::<String>());
        let head = entry.offset;
        if self.bytes.get(head..head.saturating_add(4)) != Some(b"PK\x03\x04") {
            return Err(broken());
        }
        let name = u16_at(&self.bytes, head + 26).ok_or_else(broken)?;
        let extra = u16_at(&self.bytes, head + 28).ok_or_else(broken)?;
        let start = head + 30 + name + extra;
        let packed = self.bytes.get(start..start.saturating_add(entry.packed)).ok_or_else(broken)?;
        let limits = Limits { unpacked_bytes: limits.unpacked_bytes.min(4 * limits.whole_bytes as u64), ..*limits };
        let mut out = Vec::new();
        let size = Rc::new(Cell::new(packed.len() as u64));
        let result = match entry.method {
            0 => Guard { inner: packed, packed: None, unpacked: 0, limits }.read_to_end(&mut out),
            8 => {
                let inner = flate2::bufread::DeflateDecoder::new(packed);
                Guard { inner, packed: Some(size), unpacked: 0, limits }.read_to_end(&mut out)
            }
            other => {
                return Err(format!("member `{}` uses compression method {other}; only deflate is read", entry.name));
            }
        };
        result.map(|_| out).map_err(|e| format!("member `{}` {e}", entry.name.chars().take(80).collect::<String>()))
    }
}
