//! ZIP archives in memory: deflated, with fixed times, so that equal content gives equal bytes.
//!
//! Written by hand because the format's core is small, and an evidence bundle must not depend on the habits of an
//! archiver: no extra fields, no data descriptors, no comments. Sizes stay below 4 GiB and 65,535 files; more is an
//! error, never a broken archive.

use std::io::{self, Write};

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The target cannot be written to.
    #[error("cannot write the archive")]
    Write(#[from] io::Error),
    /// More than the format holds.
    #[error("the archive would exceed {0}; choose a smaller scope or period")]
    TooLarge(&'static str),
    /// The bytes are not a whole archive.
    #[error("not a whole ZIP archive: {0}")]
    Damaged(String),
}

fn table() -> [u32; 256] {
    let mut out = [0; 256];
    for (n, slot) in (0u32..).zip(out.iter_mut()) {
        *slot = (0..8).fold(n, |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 });
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let table = table();
    let step = |c: u32, b: &u8| {
        let slot = usize::from(c.to_le_bytes()[0] ^ b);
        table.get(slot).copied().unwrap_or(0) ^ (c >> 8)
    };
    !bytes.iter().fold(!0, step)
}

/// 1980-01-01, the format's first day: times would make equal bundles differ.
const DATE: u16 = 0x0021;

fn put(out: &mut Vec<u8>, n: u64, bytes: usize) {
    out.extend_from_slice(n.to_le_bytes().get(..bytes).unwrap_or_default());
}

/// Writes an archive, file by file.
pub struct Writer<W: Write> {
    to: W,
    at: u64,
    directory: Vec<u8>,
    count: u16,
}

impl<W: Write> Writer<W> {
    /// An empty archive.
    pub fn new(to: W) -> Self {
        Self { to, at: 0, directory: Vec::new(), count: 0 }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// The target fails, or the archive grows beyond the format.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), ZipError> {
        let packed = miniz_oxide::deflate::compress_to_vec(content, 6);
        let (method, body): (u64, &[u8]) = if packed.len() < content.len() { (8, &packed) } else { (0, content) };
        let limit = u64::from(u32::MAX);
        if content.len() as u64 >= limit || self.at + body.len() as u64 + 100_000 >= limit {
            return Err(ZipError::TooLarge("4 GiB"));
        }
        let mut common = Vec::with_capacity(30);
        put(&mut common, 20, 2); // version needed
        put(&mut common, 0x0800, 2); // names are UTF-8
        put(&mut common, method, 2);
        put(&mut common, 0, 2); // midnight
        put(&mut common, DATE.into(), 2);
        put(&mut common, crc32(content).into(), 4);
        put(&mut common, body.len() as u64, 4);
        put(&mut common, content.len() as u64, 4);
        put(&mut common, name.len() as u64, 2);
        put(&mut common, 0, 2); // no extra field
        let mut local = b"PK\x03\x04".to_vec();
        local.extend_from_slice(&common);
        local.extend_from_slice(name.as_bytes());
        self.directory.extend_from_slice(b"PK\x01\x02");
        put(&mut self.directory, 0x0314, 2); // made on Unix, so that the permissions below count
        self.directory.extend_from_slice(&common);
        put(&mut self.directory, 0, 2); // no comment
        put(&mut self.directory, 0, 2); // disk
        put(&mut self.directory, 0, 2); // internal attributes
        put(&mut self.directory, 0o100_644 << 16, 4);
        put(&mut self.directory, self.at, 4);
        self.directory.extend_from_slice(name.as_bytes());
        self.to.write_all(&local)?;
        self.to.write_all(body)?;
        self.at += (local.len() + body.len()) as u64;
        self.count = self.count.checked_add(1).filter(|n| *n < u16::MAX).ok_or(ZipError::TooLarge("65,534 files"))?;
        Ok(())
    }

    /// Writes the directory and gives the target back.
    ///
    /// # Errors
    /// The target fails.
    pub fn finish(mut self) -> Result<W, ZipError> {
        let mut end = b"PK\x05\x06".to_vec();
        put(&mut end, 0, 4);
        put(&mut end, self.count.into(), 2);
        put(&mut end, self.count.into(), 2);
        put(&mut end, self.directory.len() as u64, 4);
        put(&mut end, self.at, 4);
        put(&mut end, 0, 2);
        self.to.write_all(&self.directory)?;
        self.to.write_all(&end)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// The most one file may unpack to, so that a hostile archive cannot fill the memory.
const LARGEST: usize = 1 << 30;

/// Reads every file of an archive, in its order.
///
/// # Errors
/// The bytes are no archive as [`Writer`] makes them, a checksum does not match, or there are bytes that belong to no file.
pub fn read(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ZipError> {
    let damaged = |what: &str| ZipError::Damaged(what.into());
    let short = || damaged("it ends too early");
    let number = |at: usize, bytes: usize| -> Result<usize, ZipError> {
        let part = archive.get(at..at.saturating_add(bytes)).ok_or_else(short)?;
        Ok(part.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b)))
    };
    let end = archive.len().checked_sub(22).ok_or_else(short)?;
    if archive.get(end..end + 4) != Some(b"PK\x05\x06") || number(end + 4, 4)? != 0 || number(end + 20, 2)? != 0 {
        return Err(damaged("its directory is missing"));
    }
    let (count, start) = (number(end + 10, 2)?, number(end + 16, 4)?);
    if count != number(end + 8, 2)? || start.checked_add(number(end + 12, 4)?) != Some(end) {
        return Err(damaged("its directory is not where it says"));
    }
    let mut out = Vec::with_capacity(count);
    let (mut at, mut expected) = (start, 0usize);
    for _ in 0..count {
        let common = archive.get(at + 6..at + 32).ok_or_else(short)?;
        let plain_file = number(at + 32, 6)? == 0 && number(at + 38, 4)? == 0o100_644 << 16;
        if archive.get(at..at + 6) != Some(b"PK\x01\x02\x14\x03") || !plain_file {
            return Err(damaged("a directory entry is malformed"));
        }
        let (method, crc) = (number(at + 10, 2)?, number(at + 16, 4)?);
        let (packed, plain, name_len) = (number(at + 20, 4)?, number(at + 24, 4)?, number(at + 28, 2)?);
        let local = number(at + 42, 4)?;
        let name = archive.get(at + 46..at + 46 + name_len).ok_or_else(short)?;
        let body = local.saturating_add(30 + name_len);
        // Files lie one after the other from the first byte: nothing can hide between them.
        if local != expected
            || archive.get(local..local + 4) != Some(b"PK\x03\x04")
            || archive.get(local + 4..local + 30) != Some(common)
            || archive.get(local + 30..body) != Some(name)
        {
            return Err(damaged("a file is not where the directory says"));
        }
        let content = archive.get(body..body.saturating_add(packed)).ok_or_else(short)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| damaged("a name is not UTF-8"))?;
        let wrong = || ZipError::Damaged(format!("`{name}` does not unpack to what was packed"));
        let content = match method {
            0 => content.to_vec(),
            8 if plain <= LARGEST => {
                miniz_oxide::inflate::decompress_to_vec_with_limit(content, plain).map_err(|_| wrong())?
            }
            _ => return Err(wrong()),
        };
        if content.len() != plain || crc32(&content) as usize != crc {
            return Err(wrong());
        }
        expected = body + packed;
        at += 46 + name_len;
        out.push((name, content));
    }
    if expected != start || at != end {
        return Err(damaged("there are bytes that belong to no file"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_a_flipped_byte_never_passes_for_it() {
        let mut w = Writer::new(Vec::new());
        let long = b"abc".repeat(1000);
        w.add("a.txt", b"").unwrap();
        w.add("d/\u{e4}.txt", &long).unwrap();
        let archive = w.finish().unwrap();
        let files = read(&archive).unwrap();
        assert_eq!(files, [("a.txt".to_owned(), vec![]), ("d/\u{e4}.txt".to_owned(), long.clone())]);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        for i in 0..archive.len() {
            let mut bad = archive.clone();
            bad[i] ^= 1;
            if let Ok(got) = read(&bad) {
                assert_ne!(got.iter().map(|f| &f.0).collect::<Vec<_>>(), ["a.txt", "d/\u{e4}.txt"], "byte {i}");
            }
        }
        for cut in 0..archive.len() {
            assert!(read(&archive[..cut]).is_err());
        }
    }
}
