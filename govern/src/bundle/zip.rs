//! ZIP archives: deflated, with fixed times, so that equal content gives equal bytes; written and read in bounded memory.
//!
//! Written by hand because the format's core is small, and an evidence bundle must not depend on the habits of an
//! archiver: no data descriptors, no comments, and no extra fields but those of ZIP64, which stand where a size, a place
//! or the number of files outgrows the classic fields, and nowhere else.
//!
//! Read are archives of others too, because bundles are unpacked and packed again on their way: times, permissions, extra
//! fields and folders are theirs. What two readers could understand in two ways is refused: a directory that says otherwise
//! than the files' own headers, bytes that belong to no file, and an archive that is [`Writer`]'s in parts only.

use crate::log::text;
use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    deflate::{core::CompressorOxide, core::create_comp_flags_from_zip_params, stream::deflate},
    inflate::stream::{InflateState, inflate},
};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The target cannot be written to.
    #[error("cannot write the archive")]
    Write(#[from] io::Error),
    /// More than is taken into memory at once.
    #[error("the archive would exceed {0}; choose a smaller scope or period")]
    TooLarge(&'static str),
    /// The bytes are not a whole archive.
    #[error("not a whole ZIP archive: {0}")]
    Damaged(String),
}

const fn table() -> [u32; 256] {
    let mut out = [0; 256];
    let mut n = 0;
    while n < 256 {
        let (mut c, mut bit) = (n as u32, 0);
        while bit < 8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
            bit += 1;
        }
        out[n] = c;
        n += 1;
    }
    out
}

const TABLE: [u32; 256] = table();

/// A checksum as ZIP counts it, over bytes that come in pieces.
#[derive(Debug, Clone, Copy)]
struct Crc(u32);

impl Crc {
    fn add(&mut self, bytes: &[u8]) {
        for b in bytes {
            let slot = usize::from(self.0.to_le_bytes()[0] ^ b);
            self.0 = TABLE.get(slot).copied().unwrap_or(0) ^ (self.0 >> 8);
        }
    }

    fn value(self) -> u32 {
        !self.0
    }
}

/// 1980-01-01, the format's first day: times would make equal bundles differ.
const DATE: u16 = 0x0021;
/// The value of a classic field whose number stands in the ZIP64 field.
const WIDE: u64 = 0xffff_ffff;

fn put(out: &mut Vec<u8>, n: u64, bytes: usize) {
    out.extend_from_slice(n.to_le_bytes().get(..bytes).unwrap_or_default());
}

/// What is known of a file once it was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Bytes of the content.
    pub size: u64,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Bytes as packed.
    packed: u64,
    crc: u32,
    /// 8 for deflated, 0 for as it is.
    method: u16,
}

/// A sink that packs and sums what is written to it, piece by piece.
pub struct Packed<S: Write> {
    to: S,
    deflate: Box<CompressorOxide>,
    room: Vec<u8>,
    hash: Sha256,
    crc: Crc,
    size: u64,
    packed: u64,
}

impl<S: Write> Packed<S> {
    /// Packs into `to`.
    pub fn new(to: S) -> Self {
        Self {
            to,
            deflate: Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(4, 0, 0))),
            room: vec![0; 1 << 16],
            hash: Sha256::new(),
            crc: Crc(!0),
            size: 0,
            packed: 0,
        }
    }

    fn squeeze(&mut self, mut bytes: &[u8], flush: MZFlush) -> io::Result<()> {
        loop {
            let done = deflate(&mut self.deflate, bytes, &mut self.room, flush);
            self.to.write_all(self.room.get(..done.bytes_written).unwrap_or_default())?;
            self.packed += done.bytes_written as u64;
            bytes = bytes.get(done.bytes_consumed..).unwrap_or_default();
            match done.status {
                Ok(MZStatus::StreamEnd) => return Ok(()),
                Ok(_) if bytes.is_empty() && flush == MZFlush::None => return Ok(()),
                Ok(_) => {}
                Err(MZError::Buf) if bytes.is_empty() && flush == MZFlush::None => return Ok(()),
                Err(e) => return Err(io::Error::other(format!("cannot be packed: {e:?}"))),
            }
        }
    }

    /// Ends the file: what it was packed into, and its sums.
    ///
    /// # Errors
    /// The target fails.
    pub fn finish(mut self) -> io::Result<(S, Sums)> {
        self.squeeze(&[], MZFlush::Finish)?;
        let sums = Sums {
            size: self.size,
            sha256: text::hex(&self.hash.finalize()),
            packed: self.packed,
            crc: self.crc.value(),
            method: 8,
        };
        Ok((self.to, sums))
    }
}

impl<S: Write> Write for Packed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.crc.add(bytes);
        self.size += bytes.len() as u64;
        self.squeeze(bytes, MZFlush::None)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The ZIP64 field with those of `numbers` that outgrow theirs, and each number as the classic field has it.
fn widen<const N: usize>(numbers: [u64; N]) -> (Vec<u8>, [u64; N]) {
    let mut field = Vec::new();
    let classic = numbers.map(|n| {
        if n >= WIDE {
            put(&mut field, n, 8);
        }
        n.min(WIDE)
    });
    let mut out = Vec::new();
    if !field.is_empty() {
        put(&mut out, 1, 2);
        put(&mut out, field.len() as u64, 2);
        out.append(&mut field);
    }
    (out, classic)
}

/// Header fields that stand in the file's own header and in the directory.
fn common(name: &str, sums: &Sums, sizes: [u64; 2], extra: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(30);
    put(&mut out, if extra == 0 { 20 } else { 45 }, 2); // version needed
    put(&mut out, 0x0800, 2); // names are UTF-8
    put(&mut out, sums.method.into(), 2);
    put(&mut out, 0, 2); // midnight
    put(&mut out, DATE.into(), 2);
    put(&mut out, sums.crc.into(), 4);
    put(&mut out, sizes[1], 4);
    put(&mut out, sizes[0], 4);
    put(&mut out, name.len() as u64, 2);
    put(&mut out, extra as u64, 2);
    out
}

/// The two sizes of a file as its own header has them: ZIP64 wants both there when one outgrows its field.
fn local_sizes(sums: &Sums) -> (Vec<u8>, [u64; 2]) {
    if sums.size.max(sums.packed) < WIDE {
        return (Vec::new(), [sums.size, sums.packed]);
    }
    let mut out = Vec::new();
    put(&mut out, 1, 2);
    put(&mut out, 16, 2);
    put(&mut out, sums.size, 8);
    put(&mut out, sums.packed, 8);
    (out, [WIDE, WIDE])
}

/// A file's entry of the directory.
fn directory_entry(name: &str, sums: &Sums, at: u64) -> Vec<u8> {
    let (extra, sizes, place) = match local_sizes(sums) {
        (mut wide, sizes) if !wide.is_empty() => {
            if at >= WIDE {
                put(&mut wide, at, 8);
                wide[2] = 24;
            }
            (wide, sizes, at.min(WIDE))
        }
        (_, sizes) => {
            let (extra, [place]) = widen([at]);
            (extra, sizes, place)
        }
    };
    let mut out = b"PK\x01\x02".to_vec();
    put(&mut out, if extra.is_empty() { 0x0314 } else { 0x032d }, 2); // made on Unix, so that the permissions below count
    out.extend_from_slice(&common(name, sums, sizes, extra.len()));
    put(&mut out, 0, 2); // no comment
    put(&mut out, 0, 2); // disk
    put(&mut out, 0, 2); // internal attributes
    put(&mut out, 0o100_644 << 16, 4);
    put(&mut out, place, 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&extra);
    out
}

/// A file's own header.
fn local_header(name: &str, sums: &Sums) -> Vec<u8> {
    let (extra, sizes) = local_sizes(sums);
    let mut out = b"PK\x03\x04".to_vec();
    out.extend_from_slice(&common(name, sums, sizes, extra.len()));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&extra);
    out
}

/// The end of an archive whose directory has `count` entries, begins at `at` and takes `size` bytes.
fn ending(count: u64, at: u64, size: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if count >= 0xffff || at >= WIDE || size >= WIDE {
        out.extend_from_slice(b"PK\x06\x06");
        put(&mut out, 44, 8); // what follows of this record
        put(&mut out, 0x032d, 2);
        put(&mut out, 45, 2);
        put(&mut out, 0, 8); // disks
        for n in [count, count, size, at] {
            put(&mut out, n, 8);
        }
        out.extend_from_slice(b"PK\x06\x07");
        put(&mut out, 0, 4);
        put(&mut out, at + size, 8);
        put(&mut out, 1, 4);
    }
    out.extend_from_slice(b"PK\x05\x06");
    put(&mut out, 0, 4);
    put(&mut out, count.min(0xffff), 2);
    put(&mut out, count.min(0xffff), 2);
    put(&mut out, size.min(WIDE), 4);
    put(&mut out, at.min(WIDE), 4);
    put(&mut out, 0, 2);
    out
}

/// Writes an archive, file by file.
pub struct Writer<W: Write> {
    to: W,
    at: u64,
    directory: Vec<u8>,
    count: u64,
}

impl<W: Write> Writer<W> {
    /// An empty archive.
    pub fn new(to: W) -> Self {
        Self { to, at: 0, directory: Vec::new(), count: 0 }
    }

    fn begin(&mut self, name: &str, sums: &Sums) -> Result<(), ZipError> {
        self.directory.extend_from_slice(&directory_entry(name, sums, self.at));
        let header = local_header(name, sums);
        self.to.write_all(&header)?;
        self.at += header.len() as u64 + sums.packed;
        self.count += 1;
        Ok(())
    }

    /// Adds a file; gives its sums.
    ///
    /// # Errors
    /// The target fails.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<Sums, ZipError> {
        let packed = match content {
            [] => Vec::new(),
            some => miniz_oxide::deflate::compress_to_vec(some, 6),
        };
        let (method, body): (u16, &[u8]) = if packed.len() < content.len() { (8, &packed) } else { (0, content) };
        let mut crc = Crc(!0);
        crc.add(content);
        let sums = Sums {
            size: content.len() as u64,
            sha256: text::hex(&Sha256::digest(content)),
            packed: body.len() as u64,
            crc: crc.value(),
            method,
        };
        self.begin(name, &sums)?;
        self.to.write_all(body)?;
        Ok(sums)
    }

    /// Adds a file that was packed before, from where it was packed into.
    ///
    /// # Errors
    /// The target or the source fails, or the source is not what was packed.
    pub fn append(&mut self, name: &str, sums: &Sums, packed: &mut dyn Read) -> Result<(), ZipError> {
        self.begin(name, sums)?;
        if io::copy(&mut packed.take(sums.packed), &mut self.to)? != sums.packed {
            return Err(ZipError::Damaged(format!("what was packed of `{name}` is not there any more")));
        }
        Ok(())
    }

    /// Writes the directory and gives the target back.
    ///
    /// # Errors
    /// The target fails.
    pub fn finish(mut self) -> Result<W, ZipError> {
        self.to.write_all(&self.directory)?;
        self.to.write_all(&ending(self.count, self.at, self.directory.len() as u64))?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Bytes that can be read from any place: a file, or memory.
pub trait ReadAt {
    /// How many there are.
    ///
    /// # Errors
    /// They cannot be reached.
    fn size(&self) -> io::Result<u64>;

    /// Reads from `at` into `room`; how many came, 0 at the end.
    ///
    /// # Errors
    /// They cannot be read.
    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = from.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), from.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        self.as_slice().size()
    }

    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(at, room)
    }
}

/// The most that is taken into memory at once, so that a hostile archive cannot fill it.
const LARGEST: u64 = 1 << 30;
/// The most a directory may take.
const DIRECTORY: u64 = 1 << 28;

/// A file of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    sums: Sums,
    body: u64,
}

impl Entry {
    /// Bytes of its content.
    pub fn size(&self) -> u64 {
        self.sums.size
    }
}

/// An archive, read where it lies.
pub struct Archive<'a, A: ReadAt + ?Sized> {
    from: &'a A,
    /// Its files, in their order.
    pub entries: Vec<Entry>,
}

fn damaged(what: &str) -> ZipError {
    ZipError::Damaged(what.into())
}

fn exactly<A: ReadAt + ?Sized>(from: &A, at: u64, bytes: u64) -> Result<Vec<u8>, ZipError> {
    let mut out = vec![0; usize::try_from(bytes).map_err(|_| damaged("it is too large to be read here"))?];
    let mut done = 0;
    while let Some(room) = out.get_mut(done..).filter(|r| !r.is_empty()) {
        match from.read_at(at + done as u64, room).map_err(|e| ZipError::Damaged(format!("it cannot be read: {e}")))? {
            0 => return Err(damaged("it ends too early")),
            n => done += n,
        }
    }
    Ok(out)
}

fn number(bytes: &[u8], at: usize, len: usize) -> Result<u64, ZipError> {
    let part = bytes.get(at..at.saturating_add(len)).ok_or_else(|| damaged("it ends too early"))?;
    Ok(part.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// Where the directory begins, its bytes, and how many entries it has.
fn directory<A: ReadAt + ?Sized>(from: &A) -> Result<(u64, Vec<u8>, u64), ZipError> {
    let all = from.size().map_err(|e| ZipError::Damaged(format!("it cannot be read: {e}")))?;
    let end = all.checked_sub(22).ok_or_else(|| damaged("it ends too early"))?;
    let tail = exactly(from, end, 22)?;
    if tail.get(..4) != Some(b"PK\x05\x06") {
        return Err(damaged("its directory is missing"));
    }
    let mut found = (number(&tail, 10, 2)?, number(&tail, 16, 4)?, number(&tail, 12, 4)?);
    if found.0 == 0xffff || found.1 == WIDE || found.2 == WIDE {
        let at = end.checked_sub(76).ok_or_else(|| damaged("its directory is missing"))?;
        let wide = exactly(from, at, 56)?;
        found = (number(&wide, 32, 8)?, number(&wide, 48, 8)?, number(&wide, 40, 8)?);
    }
    let (count, at, size) = found;
    // Whatever the end says beside that, it is what this format writes for these three numbers, or it is refused.
    let ending = ending(count, at, size);
    let whole = at.checked_add(size).and_then(|n| n.checked_add(ending.len() as u64));
    if whole != Some(all) || !ends_alike(&exactly(from, at + size, ending.len() as u64)?, &ending) {
        return Err(damaged("its directory is not where it says"));
    }
    if size > DIRECTORY {
        return Err(damaged("its directory is too large"));
    }
    Ok((at, exactly(from, at, size)?, count))
}

/// Whether two ends say the same but for the versions of whoever wrote them, which only ZIP64 names.
fn ends_alike(found: &[u8], ours: &[u8]) -> bool {
    let versions = if ours.len() > 22 { 12..16 } else { 0..0 };
    found.len() == ours.len() && found.iter().zip(ours).enumerate().all(|(i, (a, b))| versions.contains(&i) || a == b)
}

/// An entry of the directory as it was read.
struct Listed {
    entry: Entry,
    place: u64,
    next: usize,
    /// General purpose flags.
    flags: u16,
    /// Whether [`Writer`] made it, byte for byte.
    ours: bool,
}

/// Flags that change how a file is to be read: encryption, patches, strong encryption, masked headers.
const REFUSED_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// The flag that says sizes and checksum follow the content.
const FOLLOWED: u16 = 1 << 3;

/// The numbers of a ZIP64 field among `extra`, for those of `numbers` that outgrow theirs.
fn narrow(extra: &[u8], numbers: [&mut u64; 3]) -> Result<(), ZipError> {
    let malformed = || damaged("a directory entry is malformed");
    let mut wide: &[u8] = &[];
    let mut rest = extra;
    while !rest.is_empty() {
        let (id, len) = (number(rest, 0, 2)?, number(rest, 2, 2)? as usize);
        let field = rest.get(4..4 + len).ok_or_else(malformed)?;
        if id == 1 {
            wide = field;
        }
        rest = rest.get(4 + len..).unwrap_or_default();
    }
    for n in numbers {
        if *n == WIDE {
            *n = number(wide, 0, 8)?;
            wide = wide.get(8..).unwrap_or_default();
        }
    }
    Ok(())
}

/// The entry at `at` of a directory.
fn entry(bytes: &[u8], at: usize) -> Result<Listed, ZipError> {
    let malformed = || damaged("a directory entry is malformed");
    if bytes.get(at..at.saturating_add(4)) != Some(b"PK\x01\x02") {
        return Err(malformed());
    }
    let (name_len, extra_len) = (number(bytes, at + 28, 2)? as usize, number(bytes, at + 30, 2)? as usize);
    let (comment, disk) = (number(bytes, at + 32, 2)?, number(bytes, at + 34, 2)?);
    let (name_at, extra_at) = (at + 46, at + 46 + name_len);
    let name = bytes.get(name_at..extra_at).ok_or_else(malformed)?;
    let name = String::from_utf8(name.to_vec()).map_err(|_| damaged("a name is not UTF-8"))?;
    let (mut size, mut packed, mut place) =
        (number(bytes, at + 24, 4)?, number(bytes, at + 20, 4)?, number(bytes, at + 42, 4)?);
    let next = extra_at + extra_len;
    narrow(bytes.get(extra_at..next).ok_or_else(malformed)?, [&mut size, &mut packed, &mut place])?;
    let method = u16::try_from(number(bytes, at + 10, 2)?).map_err(|_| malformed())?;
    let flags = u16::try_from(number(bytes, at + 8, 2)?).map_err(|_| malformed())?;
    let crc = u32::try_from(number(bytes, at + 16, 4)?).map_err(|_| malformed())?;
    if comment != 0 || disk != 0 || flags & REFUSED_FLAGS != 0 || !matches!(method, 0 | 8) {
        return Err(malformed());
    }
    let sums = Sums { size, sha256: String::new(), packed, crc, method };
    let ours = bytes.get(at..next) == Some(&directory_entry(&name, &sums, place));
    Ok(Listed { entry: Entry { name, sums, body: 0 }, place, next, flags, ours })
}

/// Where a file's content begins and what lies behind it ends, when its own header says what the directory says.
fn content<A: ReadAt + ?Sized>(from: &A, bytes: &[u8], at: usize, listed: &Listed) -> Result<(u64, u64), ZipError> {
    let astray = || damaged("a file is not where the directory says");
    let Entry { name, sums, .. } = &listed.entry;
    let own = exactly(from, listed.place, 30)?;
    let (name_len, extra_len) = (number(&own, 26, 2)?, number(&own, 28, 2)?);
    let tail = exactly(from, listed.place + 30, name_len + extra_len)?;
    let body = listed.place + 30 + name_len + extra_len;
    let end = body.checked_add(sums.packed).ok_or_else(|| damaged("a size is impossible"))?;
    // From the flags to the date both say the same, and so do the names.
    let heads = own.get(6..14) == bytes.get(at + 8..at + 16);
    let names = tail.get(..name_len as usize) == Some(name.as_bytes());
    if own.get(..4) != Some(b"PK\x03\x04") || !heads || !names {
        return Err(astray());
    }
    let (crc, mut packed, mut size) = (number(&own, 14, 4)?, number(&own, 18, 4)?, number(&own, 22, 4)?);
    if listed.flags & FOLLOWED == 0 {
        let mut none = 0;
        narrow(tail.get(name_len as usize..).unwrap_or_default(), [&mut size, &mut packed, &mut none])?;
        let same = (crc, packed, size) == (u64::from(sums.crc), sums.packed, sums.size);
        return if same { Ok((body, end)) } else { Err(astray()) };
    }
    // Sizes and checksum follow the content: with a mark or without, with four bytes for a size or with eight.
    let behind = exactly(from, end, 24.min(from.size().unwrap_or(0).saturating_sub(end)))?;
    for (mark, width) in [(4, 4), (4, 8), (0, 4), (0, 8)] {
        let said =
            (number(&behind, mark, 4), number(&behind, mark + 4, width), number(&behind, mark + 4 + width, width));
        let marked = mark == 0 || behind.get(..4) == Some(b"PK\x07\x08");
        if let (true, Ok(c), Ok(p), Ok(s)) = (marked, said.0, said.1, said.2)
            && (c, p, s) == (u64::from(sums.crc), sums.packed, sums.size)
        {
            return Ok((body, end + (mark + 4 + 2 * width) as u64));
        }
    }
    Err(astray())
}

impl<'a, A: ReadAt + ?Sized> Archive<'a, A> {
    /// Reads the directory, and holds every file's own header against it. Folders are passed over.
    ///
    /// # Errors
    /// The bytes are no archive, there are bytes that belong to no file, two headers say two things, or an archive of
    /// [`Writer`] was changed.
    pub fn open(from: &'a A) -> Result<Self, ZipError> {
        let (start, bytes, count) = directory(from)?;
        let (mut entries, mut at, mut expected, mut ours) = (Vec::new(), 0, 0u64, 0);
        for _ in 0..count {
            let mut listed = entry(&bytes, at)?;
            // Files lie one after the other from the first byte: nothing can hide between them.
            if listed.place != expected {
                return Err(damaged("a file is not where the directory says"));
            }
            let end;
            (listed.entry.body, end) = content(from, &bytes, at, &listed)?;
            if listed.ours {
                let header = local_header(&listed.entry.name, &listed.entry.sums);
                if exactly(from, listed.place, header.len() as u64)? != header {
                    return Err(damaged("a file is not where the directory says"));
                }
                ours += 1;
            }
            expected = end;
            at = listed.next;
            if !(listed.entry.name.ends_with('/') && listed.entry.sums.size == 0) {
                entries.push(listed.entry);
            }
        }
        if expected != start || at != bytes.len() {
            return Err(damaged("there are bytes that belong to no file"));
        }
        if ours != 0 && ours != count {
            return Err(damaged("a directory entry was changed"));
        }
        Ok(Self { from, entries })
    }

    /// A file's content, unpacked and held against its checksum while it is read.
    pub fn read(&self, entry: &Entry) -> Unpacked<'a, A> {
        unpack_at(self.from, entry.body, &entry.name, &entry.sums)
    }
}

/// What was packed by [`Packed`], unpacked from where it was packed into.
pub fn unpack<'a, A: ReadAt + ?Sized>(from: &'a A, name: &str, sums: &Sums) -> Unpacked<'a, A> {
    unpack_at(from, 0, name, sums)
}

fn unpack_at<'a, A: ReadAt + ?Sized>(from: &'a A, at: u64, name: &str, sums: &Sums) -> Unpacked<'a, A> {
    Unpacked {
        from,
        name: name.into(),
        at,
        left: sums.packed,
        want: sums.clone(),
        inflate: (sums.method == 8).then(|| InflateState::new_boxed(DataFormat::Raw)),
        room: vec![0; 1 << 16],
        filled: 0..0,
        crc: Crc(!0),
        size: 0,
        ended: false,
    }
}

/// A file's content as it is read.
pub struct Unpacked<'a, A: ReadAt + ?Sized> {
    from: &'a A,
    name: String,
    at: u64,
    left: u64,
    want: Sums,
    inflate: Option<Box<InflateState>>,
    room: Vec<u8>,
    filled: std::ops::Range<usize>,
    crc: Crc,
    size: u64,
    ended: bool,
}

impl<A: ReadAt + ?Sized> Unpacked<'_, A> {
    fn wrong(&self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("`{}` does not unpack to what was packed", self.name))
    }

    fn refill(&mut self) -> io::Result<()> {
        let most = usize::try_from(self.left).map_or(self.room.len(), |left| left.min(self.room.len()));
        let n = self.from.read_at(self.at, self.room.get_mut(..most).unwrap_or_default())?;
        self.at += n as u64;
        self.left -= n as u64;
        self.filled = 0..n;
        Ok(())
    }

    fn take(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.filled.is_empty() && self.left > 0 {
                self.refill()?;
                if self.filled.is_empty() {
                    return Err(self.wrong());
                }
            }
            let input = self.room.get(self.filled.clone()).unwrap_or_default();
            let Some(state) = &mut self.inflate else {
                let n = input.len().min(out.len());
                if let (Some(to), Some(from)) = (out.get_mut(..n), input.get(..n)) {
                    to.copy_from_slice(from);
                }
                self.filled.start += n;
                return Ok(n);
            };
            let done = inflate(state, input, out, MZFlush::None);
            self.filled.start += done.bytes_consumed;
            match done.status {
                Ok(MZStatus::StreamEnd) => {
                    // Nothing may follow the end of what was packed.
                    if !self.filled.is_empty() || self.left > 0 {
                        return Err(self.wrong());
                    }
                    self.ended = true;
                    return Ok(done.bytes_written);
                }
                Ok(_) | Err(MZError::Buf) if done.bytes_written > 0 => return Ok(done.bytes_written),
                Ok(_) | Err(MZError::Buf) if done.bytes_consumed > 0 || (self.filled.is_empty() && self.left > 0) => {}
                _ => return Err(self.wrong()),
            }
        }
    }
}

impl<A: ReadAt + ?Sized> Read for Unpacked<'_, A> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let stored = self.inflate.is_none();
        let n = if self.ended || stored && self.left == 0 && self.filled.is_empty() { 0 } else { self.take(out)? };
        self.crc.add(out.get(..n).unwrap_or_default());
        self.size += n as u64;
        let over = n == 0;
        if self.size > self.want.size || over && (self.size != self.want.size || self.crc.value() != self.want.crc) {
            return Err(self.wrong());
        }
        Ok(n)
    }
}

/// Reads every file of an archive, in its order, into memory.
///
/// # Errors
/// As for [`Archive::open`]; a checksum does not match, or it is more than a gibibyte.
pub fn read(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ZipError> {
    let archive = Archive::open(archive)?;
    if archive.entries.iter().map(Entry::size).fold(0, u64::saturating_add) > LARGEST {
        return Err(ZipError::TooLarge("one gibibyte unpacked"));
    }
    let whole = |entry: &Entry| {
        let mut out = Vec::new();
        archive.read(entry).read_to_end(&mut out).map_err(|e| ZipError::Damaged(e.to_string()))?;
        Ok((entry.name.clone(), out))
    };
    archive.entries.iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = Crc(!0);
        crc.add(bytes);
        crc.value()
    }

    #[test]
    fn what_goes_in_comes_out_and_a_flipped_byte_never_passes_for_it() {
        let mut w = Writer::new(Vec::new());
        let long = b"abc".repeat(1000);
        w.add("a.txt", b"").unwrap();
        w.add("d/\u{e4}.txt", &long).unwrap();
        let (packed, sums) = {
            let mut sink = Packed::new(Vec::new());
            long.chunks(7).for_each(|c| sink.write_all(c).unwrap());
            sink.finish().unwrap()
        };
        w.append("packed.txt", &sums, &mut packed.as_slice()).unwrap();
        let archive = w.finish().unwrap();
        let files = read(&archive).unwrap();
        let want = [("a.txt", vec![]), ("d/\u{e4}.txt", long.clone()), ("packed.txt", long.clone())];
        assert_eq!(files, want.clone().map(|(n, b)| (n.to_owned(), b)));
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!((sums.size, sums.sha256), (3000, text::hex(&Sha256::digest(&long))));
        for i in 0..archive.len() {
            let mut bad = archive.clone();
            bad[i] ^= 1;
            assert!(read(&bad).is_err(), "byte {i}");
        }
        for cut in 0..archive.len() {
            assert!(read(&archive[..cut]).is_err());
        }
    }

    /// An archive as other archivers make them: their own time and permissions, an extra field that differs in the two
    /// headers, a folder, and with `followed` sizes behind the content.
    fn foreign(files: &[(&str, &[u8])], followed: bool) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let packed = miniz_oxide::deflate::compress_to_vec(content, 9);
            let at = out.len() as u64;
            let sums = [u64::from(crc32(content)), packed.len() as u64, content.len() as u64];
            let mut head = Vec::new();
            put(&mut head, 20, 2);
            put(&mut head, if followed { 8 } else { 0 }, 2);
            put(&mut head, 8, 2);
            put(&mut head, 0x6b21_5c9d, 4);
            out.extend_from_slice(b"PK\x03\x04");
            out.extend_from_slice(&head);
            sums.iter().for_each(|n| put(&mut out, if followed { 0 } else { *n }, 4));
            put(&mut out, name.len() as u64, 2);
            put(&mut out, 9, 2);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"UT\x05\x00\x01abcd");
            out.extend_from_slice(&packed);
            if followed {
                out.extend_from_slice(b"PK\x07\x08");
                sums.iter().for_each(|n| put(&mut out, *n, 4));
            }
            directory.extend_from_slice(b"PK\x01\x02\x1e\x03");
            directory.extend_from_slice(&head);
            sums.iter().for_each(|n| put(&mut directory, *n, 4));
            put(&mut directory, name.len() as u64, 2);
            put(&mut directory, 0, 2 + 2 + 2);
            put(&mut directory, 1, 2);
            put(&mut directory, 0o100_755 << 16, 4);
            put(&mut directory, at, 4);
            directory.extend_from_slice(name.as_bytes());
        }
        let at = out.len() as u64;
        out.extend_from_slice(&directory);
        out.extend_from_slice(&ending(files.len() as u64, at, directory.len() as u64));
        out
    }

    #[test]
    fn archives_of_others_are_read_unless_they_say_two_things() {
        let words = b"words ".repeat(50);
        for followed in [false, true] {
            let made = foreign(&[("d/", b""), ("d/a.txt", &words), ("b.txt", b"b")], followed);
            let want = vec![("d/a.txt".to_owned(), words.clone()), ("b.txt".to_owned(), b"b".to_vec())];
            assert_eq!(read(&made).unwrap(), want, "{followed}");
            // Whatever is changed, what is read is what was packed, or nothing is.
            for i in 0..made.len() {
                let mut bad = made.clone();
                bad[i] ^= 1;
                if let Ok(got) = read(&bad) {
                    assert_eq!(got, want, "byte {i}");
                }
            }
            let mut hidden = made.clone();
            hidden.splice(0..0, *b"more");
            assert!(read(&hidden).is_err());
        }
    }

    /// Bytes that are zero but for a few pieces: an archive beyond what the classic fields hold.
    struct Sparse {
        size: u64,
        pieces: Vec<(u64, Vec<u8>)>,
    }

    impl Write for Sparse {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.pieces.push((self.size, bytes.to_vec()));
            self.size += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl ReadAt for Sparse {
        fn size(&self) -> io::Result<u64> {
            Ok(self.size)
        }
        fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
            let n = usize::try_from(self.size.saturating_sub(at)).unwrap().min(room.len());
            room[..n].fill(0);
            for (from, piece) in &self.pieces {
                for (i, byte) in piece.iter().enumerate() {
                    if let Some(slot) = (from + i as u64).checked_sub(at).and_then(|p| room[..n].get_mut(p as usize)) {
                        *slot = *byte;
                    }
                }
            }
            Ok(n)
        }
    }

    #[test]
    fn more_than_four_gibibytes_go_in_and_come_out() {
        let size = WIDE + 10;
        let sums = Sums { size, sha256: String::new(), packed: size, crc: 7, method: 0 };
        let mut w = Writer::new(Sparse { size: 0, pieces: Vec::new() });
        w.begin("large", &sums).unwrap();
        w.to.size += sums.packed; // as if that many zeros had been written
        w.add("behind", b"words").unwrap();
        let made = w.finish().unwrap();
        let archive = Archive::open(&made).unwrap();
        assert_eq!(
            archive.entries.iter().map(|e| (e.name.as_str(), e.size())).collect::<Vec<_>>(),
            [("large", size), ("behind", 5)]
        );
        let mut text = String::new();
        archive.read(&archive.entries[1]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "words");
        // And as many files as the classic count does not hold.
        let mut w = Writer::new(Vec::new());
        (0..0x1_0001).for_each(|i| drop(w.add(&format!("{i}"), b"").unwrap()));
        let many = w.finish().unwrap();
        assert_eq!(Archive::open(&many).unwrap().entries.len(), 0x1_0001);
    }
}
