//! Lists of files with their classes, a row for each.

use super::classes::{Class, Classes};
use super::columns::Role;
use super::options::{Column, CsvOptions};
use super::read::{Reading, opened, text};
use crate::error::Result;
use crate::shape::MAX_ELEMENTS;
use std::path::Path;

/// What a list says.
pub(in crate::data) struct List {
    /// The line of each row, and what it names.
    pub(in crate::data) names: Vec<(u64, String)>,
    pub(in crate::data) labels: Vec<usize>,
    /// What the classes are called, by number; empty if the list has them as numbers.
    pub(in crate::data) classes: Vec<String>,
}

impl List {
    /// Reads names from the column of ids, by default the first, and classes from that of targets, by default the second.
    ///
    /// - is_name: whether a text is a name, and none of a header
    ///
    /// # Errors
    /// As [`read`](super::read), but that other columns may have anything in them.
    pub(in crate::data) fn of_file(path: &Path, mut options: CsvOptions, is_name: fn(&str) -> bool) -> Result<Self> {
        options.id.get_or_insert(Column::Number(0));
        options.target.get_or_insert(Column::Number(1));
        let place = path.display().to_string();
        let mut reading = Reading::new(opened(path)?, &place, &options)?;
        let (columns, is_header) = reading.columns(is_name)?;
        let column = |role| columns.roles.iter().position(|other| *other == role).expect("the options name one");
        let (id, target) = (column(Role::Id), column(Role::Target));
        let (mut names, mut labels, mut classes) = (Vec::new(), Vec::new(), Classes::default());
        let mut is_row = !is_header || reading.next_row()?;
        while is_row {
            let line = reading.line();
            reading.check_len(columns.roles.len())?;
            if names.len() == MAX_ELEMENTS {
                return Err(reading.fault(&format!("expected at most {MAX_ELEMENTS} rows, found more")));
            }
            names.push((line, text(&reading.record[id]).trim().to_owned()));
            labels.push(match classes.number(&reading.record[target]) {
                Class::Known(number) => number,
                Class::Missing => {
                    let name = columns.name(target);
                    return Err(reading.fault(&format!("line {line}, {name}: expected a class, found none")));
                }
                Class::TooMany => return Err(reading.too_many_classes(&columns, target)),
            });
            is_row = reading.next_row()?;
        }
        if names.is_empty() {
            return Err(reading.fault("expected rows below the header, found none"));
        }
        let (labels, classes) = classes.numbered(labels);
        Ok(Self { names, labels, classes })
    }
}
