//! Reads a file row by row.

use super::CsvTable;
use super::classes::{Class, Classes, MOST_CLASSES};
use super::columns::{Columns, Role};
use super::limited::{self, Limited};
use super::options::{CsvOptions, Header};
use crate::data::dataset::StoredInputs;
use crate::data::gzip::{Unpacked, is_damage};
use crate::data::open::open;
use crate::data::{Dataset, Values};
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ::csv::{ByteRecord, Reader, ReaderBuilder};
use ndarray::{Array2, Array4};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// What stands for a value that is not known.
pub(super) const MISSING: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?"];
/// How many missing values are named.
const NAMED: usize = 5;
/// More columns than these are no table: each takes some dozen bytes for its name and its end.
const MOST_COLUMNS: usize = 1 << 24;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file that is not a folder.
pub(super) fn opened(path: &Path) -> Result<File> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let file = open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(Error::Data(format!("{}: expected a CSV file, found a folder", path.display())));
    }
    Ok(file)
}

/// The table that a reader gives.
///
/// - place: what errors call it
pub(super) fn of_reader(reader: impl Read, place: &str, options: &CsvOptions) -> Result<CsvTable> {
    Reading::new(reader, place, options)?.table()
}

/// A file that is read row by row.
pub(super) struct Reading<'a> {
    place: &'a str,
    options: &'a CsvOptions,
    reader: Reader<Limited<Box<dyn Read + 'a>>>,
    pub(super) record: ByteRecord,
}

/// The rows so far.
struct Rows {
    columns: Columns,
    inputs: Features,
    values: Vec<f32>,
    /// The number of each row's class, in the order of their coming.
    labels: Vec<usize>,
    classes: Classes,
    ids: Vec<String>,
    count: usize,
    /// Where values are missing: the first of them, and how many there are.
    missing: (Vec<String>, usize),
}

enum Features {
    Pixels(Vec<u8>, Shape),
    Numbers(Vec<f32>),
}

impl<'a> Reading<'a> {
    /// - place: what errors call it
    pub(super) fn new(reader: impl Read + 'a, place: &'a str, options: &'a CsvOptions) -> Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, reader);
        let start = reader.fill_buf().map_err(|source| Error::Io { place: place.to_owned(), source })?;
        let packed = start.starts_with(&GZIP);
        let source: Box<dyn Read + '_> = if packed { Box::new(Unpacked::new(reader)) } else { Box::new(reader) };
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(options.delimiter).buffer_capacity(limited::READ_AHEAD);
        let reader = builder.from_reader(Limited::new(source));
        Ok(Self { place, options, reader, record: ByteRecord::new() })
    }

    fn table(mut self) -> Result<CsvTable> {
        let (columns, is_header) = self.columns(|_| false)?;
        let features = columns.features().count();
        if features == 0 {
            return Err(self.fault("expected at least one column that is a feature, found none"));
        }
        if let Some(shape) = self.options.images
            && shape.len() != Some(features)
        {
            return Err(
                self.fault(&format!("expected the pixels of images of {shape}, found {features} columns of features"))
            );
        }
        let inputs = match self.options.images {
            Some(shape) => Features::Pixels(Vec::new(), shape),
            None => Features::Numbers(Vec::new()),
        };
        let mut rows = Rows {
            columns,
            inputs,
            values: Vec::new(),
            labels: Vec::new(),
            classes: Classes::default(),
            ids: Vec::new(),
            count: 0,
            missing: (Vec::new(), 0),
        };
        if !is_header {
            self.row(&mut rows)?;
        }
        while self.next_row()? {
            self.row(&mut rows)?;
        }
        self.finish(rows, features)
    }

    /// Reads the first row: which columns there are, and whether it has their names.
    ///
    /// - is_data: whether a text that is no number is none of a header's, if the options do not say whether there is one
    pub(super) fn columns(&mut self, is_data: fn(&str) -> bool) -> Result<(Columns, bool)> {
        if !self.next_row()? {
            return Err(self.fault("expected at least one row, found an empty file"));
        }
        if self.record.len() > MOST_COLUMNS {
            return Err(self.fault(&format!("expected at most {MOST_COLUMNS} columns, found {}", self.record.len())));
        }
        let first: Vec<String> =
            self.record.iter().map(|field| text(field).trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let is_header = match self.options.header {
            Header::Detect => !first
                .iter()
                .any(|field| field.parse::<f64>().is_ok() || MISSING.contains(&&field[..]) || is_data(field)),
            Header::Present => true,
            Header::Absent => false,
        };
        let count = first.len();
        let columns = Columns::new(self.options, is_header.then_some(first), count);
        Ok((columns.map_err(|problem| self.fault(&problem))?, is_header))
    }

    /// Reads the next row; `false` at the end.
    pub(super) fn next_row(&mut self) -> Result<bool> {
        self.reader.get_mut().start_row();
        self.reader.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
            ::csv::ErrorKind::Io(source) if is_damage(&source) => Error::Data(format!(
                "{}: expected a whole gzip stream, found a damaged one ({source}): fetch the file again",
                self.place
            )),
            ::csv::ErrorKind::Io(source) if limited::is_too_long(&source) => {
                let line = self.record.position().map_or(0, ::csv::Position::line);
                Error::Data(format!("{}: line {line}: {source}", self.place))
            }
            ::csv::ErrorKind::Io(source) => Error::Io { place: self.place.to_owned(), source },
            other => Error::Data(format!("{}: {other:?}", self.place)),
        })
    }

    /// Where the row begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.record.position().map_or(0, ::csv::Position::line)
    }

    /// Checks how many fields the row has.
    pub(super) fn check_len(&self, expected: usize) -> Result<()> {
        let (line, found) = (self.line(), self.record.len());
        if found != expected {
            let fields = format!("line {line}: expected {expected} fields, as in the first row, found {found}");
            return Err(self.fault(&fields));
        }
        Ok(())
    }

    fn row(&self, rows: &mut Rows) -> Result<()> {
        let (line, expected) = (self.line(), rows.columns.roles.len());
        self.check_len(expected)?;
        if rows.count == MAX_ELEMENTS {
            return Err(self.fault(&format!("expected at most {MAX_ELEMENTS} rows, found more")));
        }
        rows.count += 1;
        let outputs = self.options.values.len();
        let start = rows.values.len();
        rows.values.resize(start + outputs, 0.0);
        for place in 0..expected {
            let field = &self.record[place];
            let at = |rows: &Rows| format!("line {line}, {}", rows.columns.name(place));
            let role = rows.columns.roles[place];
            match role {
                Role::Ignored => {}
                Role::Id => rows.ids.push(text(field).into_owned()),
                Role::Target => match rows.classes.number(field) {
                    Class::Known(number) => rows.labels.push(number),
                    Class::Missing => rows.miss(at),
                    Class::TooMany => return Err(self.too_many_classes(&rows.columns, place)),
                },
                Role::Feature | Role::Value(_) => {
                    let Some(value) = number(field) else {
                        let shown: String = text(field).trim().chars().take(50).collect();
                        if MISSING.contains(&&shown[..]) {
                            rows.miss(at);
                            continue;
                        }
                        return Err(self.fault(&format!("{}: expected a number, found `{shown}`", at(rows))));
                    };
                    match (role, &mut rows.inputs) {
                        (Role::Value(output), _) => rows.values[start + output] = value,
                        (_, Features::Numbers(numbers)) => numbers.push(value),
                        (_, Features::Pixels(bytes, _)) => {
                            let byte = value as u8;
                            if f32::from(byte) != value {
                                return Err(self.fault(&format!(
                                    "{}: expected a pixel, a whole number from 0 to 255, found {value}",
                                    at(rows)
                                )));
                            }
                            bytes.push(byte);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn too_many_classes(&self, columns: &Columns, place: usize) -> Error {
        let name = columns.name(place);
        self.fault(&format!("{name}: expected classes, found more than {MOST_CLASSES} different texts: name a column of numbers by `values`"))
    }

    fn finish(&self, rows: Rows, features: usize) -> Result<CsvTable> {
        let Rows { columns, inputs, values, labels, classes, ids, count, missing: (named, missing) } = rows;
        if missing > 0 {
            let (is, it) = if missing == 1 { ("value is", "it") } else { ("values are", "them") };
            let its = if missing == 1 { "its row or column" } else { "their rows or columns" };
            let more = if missing > named.len() { "; and others" } else { "" };
            return Err(self.fault(&format!(
                "{missing} {is} missing: {}{more}. Fill {it} in, or leave out {its}",
                named.join("; ")
            )));
        }
        if count == 0 {
            return Err(self.fault("expected rows below the header, found none"));
        }
        let (labels, classes) = classes.numbered(labels);
        let labels = self.options.target.is_some().then_some(labels);
        let values = (!self.options.values.is_empty()).then(|| {
            Values::from(
                Array2::from_shape_vec((count, self.options.values.len()), values).expect("a row of values for each"),
            )
        });
        let at_place = |error: Error| Error::Data(format!("{}: {error}", self.place));
        let dataset = match inputs {
            Features::Pixels(bytes, shape) => {
                let (height, width, channels) = shape.as_image();
                let images =
                    Array4::from_shape_vec((count, height, width, channels), bytes).expect("pixels of each image");
                Dataset::of_images(StoredInputs::bytes(images), labels, values)
            }
            Features::Numbers(numbers) => {
                let table = Array2::from_shape_vec((count, features), numbers).expect("features of each row");
                Dataset::new(StoredInputs::table(table), Shape::from([features]), labels, values)
            }
        };
        let mut dataset = dataset.map_err(at_place)?;
        if self.options.id.is_some() {
            dataset = dataset.with_ids(ids)?;
        }
        let features = columns.features().map(|place| columns.plain_name(place)).collect();
        Ok(CsvTable { dataset, features, classes })
    }

    pub(super) fn fault(&self, problem: &str) -> Error {
        Error::Data(format!("{}: {problem}", self.place))
    }
}

impl Rows {
    fn miss(&mut self, at: impl FnOnce(&Self) -> String) {
        self.missing.1 += 1;
        if self.missing.0.len() < NAMED {
            let at = at(self);
            self.missing.0.push(at);
        }
    }
}

/// A finite number.
fn number(field: &[u8]) -> Option<f32> {
    let text = std::str::from_utf8(field).ok()?;
    text.trim().parse::<f32>().ok().filter(|value| value.is_finite())
}

pub(super) fn text(field: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(field)
}
