//! Which column is what.

use super::options::{Column, CsvOptions};

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Feature,
    Target,
    /// The value of this place.
    Value(usize),
    Id,
    Ignored,
}

/// What each column is, and what it is called.
pub(super) struct Columns {
    pub(super) roles: Vec<Role>,
    names: Option<Vec<String>>,
}

impl Columns {
    /// - names: those of the header, if there is one; count: how many columns there are
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(super) fn new(options: &CsvOptions, names: Option<Vec<String>>, count: usize) -> Result<Self, String> {
        let mut columns = Self { roles: vec![Role::Feature; count], names };
        let named = options.target.iter().map(|column| (column, Role::Target));
        let named = named.chain(options.id.iter().map(|column| (column, Role::Id)));
        let named = named.chain(options.values.iter().enumerate().map(|(place, column)| (column, Role::Value(place))));
        let named = named.chain(options.ignored.iter().map(|column| (column, Role::Ignored)));
        for (column, role) in named {
            let place = columns.place(column)?;
            if columns.roles[place] != Role::Feature {
                return Err(format!("expected each column to be one thing, found {} named twice", columns.name(place)));
            }
            columns.roles[place] = role;
        }
        Ok(columns)
    }

    /// The places of the features.
    pub(super) fn features(&self) -> impl Iterator<Item = usize> {
        self.roles.iter().enumerate().filter(|(_, role)| **role == Role::Feature).map(|(place, _)| place)
    }

    /// What a column is called: in the header, or by its number.
    pub(super) fn plain_name(&self, place: usize) -> String {
        let name = self.names.as_ref().and_then(|names| names.get(place));
        name.cloned().unwrap_or_else(|| format!("column {place}"))
    }

    /// A column in a message.
    pub(super) fn name(&self, place: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(place)) {
            Some(name) => format!("column `{}`", name.chars().take(50).collect::<String>()),
            None => format!("column {place}"),
        }
    }

    fn place(&self, column: &Column) -> Result<usize, String> {
        match (column, &self.names) {
            (Column::Number(number), _) if *number < self.roles.len() => Ok(*number),
            (Column::Number(number), _) => {
                Err(format!("expected a column {number}, found {} columns, numbered from 0", self.roles.len()))
            }
            (Column::Name(name), Some(names)) => {
                let is_this = |other: &String| other == name;
                match names.iter().filter(|other| is_this(other)).count() {
                    1 => Ok(names.iter().position(is_this).unwrap_or(0)),
                    0 => Err(format!("expected a column `{name}`, found {}", listed(names))),
                    more => Err(format!("expected one column `{name}`, found {more}: name it by its number")),
                }
            }
            (Column::Name(name), None) => {
                Err(format!("expected a column `{name}`, found no header: name it by its number, from 0"))
            }
        }
    }
}

/// The first names.
fn listed(names: &[String]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> =
        names.iter().take(MOST).map(|name| format!("`{}`", name.chars().take(50).collect::<String>())).collect();
    let more = names.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
