//! Lists that come row by row and are never whole in memory, and the samples drawn from all of them.

use super::{
    BundleError, Population,
    zip::{Packed, ReadAt, Sums, unpack},
};
use crate::{
    log::{canonical, merkle},
    table,
};
use serde_json::{Value as Json, json};
use std::{
    cell::RefCell,
    collections::{BTreeSet, BinaryHeap},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
};

/// Where something packed is put aside until it has its place: a file that goes away, or memory.
pub trait Spool: Read + Write + Seek {}

impl<T: Read + Write + Seek> Spool for T {}

/// What was put aside, from its beginning.
type Aside = (Box<dyn Spool>, Sums);

/// Ends what was packed and goes back to its beginning.
pub(super) fn rewound(sink: Packed<Box<dyn Spool>>) -> io::Result<Aside> {
    let (mut spool, sums) = sink.finish()?;
    spool.seek(SeekFrom::Start(0))?;
    Ok((spool, sums))
}

/// What the index says of a list.
pub(super) struct Counted {
    pub(super) path: String,
    pub(super) title: String,
    pub(super) rows: usize,
    pub(super) in_system: usize,
    pub(super) filter: String,
    pub(super) as_csv: bool,
}

/// A list as it grows.
pub(super) struct List {
    pub(super) path: String,
    pub(super) rows: usize,
    /// Not written as CSV, and no part of the samples.
    pub(super) for_programs: bool,
    columns: BTreeSet<String>,
    sink: Packed<Box<dyn Spool>>,
    line: Vec<u8>,
}

/// Small writes are gathered before they are packed.
const GATHERED: usize = 1 << 15;

impl List {
    pub(super) fn new(path: &str, for_programs: bool, spool: Box<dyn Spool>) -> Self {
        let (columns, sink) = (BTreeSet::new(), Packed::new(spool));
        Self { path: path.into(), rows: 0, for_programs, columns, sink, line: Vec::new() }
    }

    pub(super) fn add(&mut self, row: &Json, sample: &mut Sample) -> io::Result<()> {
        self.rows += 1;
        if !self.for_programs {
            sample.add(&self.path, self.rows);
            table::columns(row, &mut self.columns);
        }
        canonical::write(row, &mut self.line);
        self.line.push(b'\n');
        if self.line.len() >= GATHERED {
            self.sink.write_all(&self.line)?;
            self.line.clear();
        }
        Ok(())
    }

    /// The list's lines.
    pub(super) fn lines(mut self) -> Result<Aside, BundleError> {
        self.sink.write_all(&self.line)?;
        Ok(rewound(self.sink)?)
    }

    /// The list's lines, and the same as CSV, whose columns are known only now.
    pub(super) fn finish(mut self, spool: Box<dyn Spool>) -> Result<(Aside, Aside), BundleError> {
        self.sink.write_all(&self.line)?;
        let (lines, sums) = rewound(self.sink)?;
        let lines = Shared(RefCell::new(lines));
        let mut csv = Packed::new(spool);
        let mut text = table::csv_head(&self.columns);
        let mut reader = BufReader::new(unpack(&lines, &self.path, &sums));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            text += &table::csv_row(&self.columns, &serde_json::from_slice(&line)?);
            line.clear();
            if text.len() >= GATHERED {
                csv.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        csv.write_all(text.as_bytes())?;
        drop(reader);
        let mut lines = lines.0.into_inner();
        lines.seek(SeekFrom::Start(0))?;
        Ok(((lines, sums), rewound(csv)?))
    }
}

/// Something put aside, read from any place.
struct Shared(RefCell<Box<dyn Spool>>);

impl ReadAt for Shared {
    fn size(&self) -> io::Result<u64> {
        self.0.borrow_mut().seek(SeekFrom::End(0))
    }

    fn read_at(&self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        let mut spool = self.0.borrow_mut();
        spool.seek(SeekFrom::Start(at))?;
        spool.read(room)
    }
}

/// How many rows the order of samples names; the seed says the rest.
pub const SAMPLED: usize = 50_000;

/// Rows in the order the seed draws them: the first [`SAMPLED`] of all.
pub(super) struct Sample {
    seed: String,
    paths: Vec<String>,
    rows: usize,
    /// The smallest so far, the largest of them on top.
    first: BinaryHeap<([u8; 32], usize, usize)>,
}

impl Sample {
    pub(super) fn new(seed: &str) -> Self {
        Self { seed: seed.into(), paths: Vec::new(), rows: 0, first: BinaryHeap::new() }
    }

    pub(super) fn add(&mut self, path: &str, row: usize) {
        self.rows += 1;
        let list = match self.paths.iter().rposition(|p| p == path) {
            Some(at) => at,
            None => {
                self.paths.push(path.into());
                self.paths.len() - 1
            }
        };
        let hash = merkle::sha256(format!("{}/{}", self.seed, drawn(path, row)).as_bytes());
        if self.first.len() < SAMPLED {
            self.first.push((hash, list, row));
        } else if let Some(mut last) = self.first.peek_mut()
            && hash < last.0
        {
            *last = (hash, list, row);
        }
    }

    pub(super) fn drawn(self) -> Result<Population, BundleError> {
        let all = self.rows;
        let order: Vec<Json> = self
            .first
            .into_sorted_vec()
            .into_iter()
            .filter_map(|(_, list, row)| Some(drawn(self.paths.get(list)?, row)))
            .collect();
        let filter = match order.len() == all {
            true => "all rows".to_owned(),
            false => format!(
                "the first {SAMPLED} that are drawn; the others follow from the seed: rows in the order of the SHA-256 of seed/{{\"list\":…,\"row\":…}}"
            ),
        };
        Population::of("sampling/order", "Rows of every list, in the order the seed draws them", &order, all, &filter)
    }
}

fn drawn(path: &str, row: usize) -> Json {
    json!({ "list": path, "row": row })
}
