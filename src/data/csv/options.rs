//! What the columns of a file are.

use crate::shape::Shape;

/// A column of a file: by its name in the header, or by its number, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// As the header has it.
    Name(String),
    /// From 0.
    Number(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Column {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Column {
    fn from(number: usize) -> Self {
        Self::Number(number)
    }
}

/// Whether the first row has the names of the columns.
///
/// ```
/// use inkstone::data::csv::{self, CsvOptions, Header};
/// let path = tempfile::tempdir().unwrap().keep().join("years.csv");
/// std::fs::write(&path, "2024,2025\n1.5,1.7\n").unwrap();
/// // Names that are numbers look like a row.
/// assert_eq!(csv::read(&path, CsvOptions::new())?.dataset.len(), 2);
/// let table = csv::read(&path, CsvOptions::new().header(Header::Present))?;
/// assert_eq!((table.dataset.len(), &table.features[..]), (1, &["2024".to_owned(), "2025".to_owned()][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// It has if none of its fields is a number.
    #[default]
    Detect,
    /// It has.
    Present,
    /// It has not.
    Absent,
}

/// How a CSV file is read: what its columns are. All that are not named here are features.
///
/// ```
/// use inkstone::data::csv::{self, CsvOptions};
/// let path = tempfile::tempdir().unwrap().keep().join("homes.csv");
/// std::fs::write(&path, "size;rooms;street;price\n50;2;Elm Street;0.9\n80;3;Oak Avenue;1.4\n").unwrap();
/// let homes = csv::read(&path, CsvOptions::new().values(["price"]).ignore(["street"]).delimiter(b';'))?;
/// assert_eq!(homes.dataset.shape().to_string(), "(2)");
/// assert_eq!(homes.dataset.values().unwrap().column(0).to_vec(), [0.9, 1.4]);
///
/// // The class is the last of five columns, of a file without a header.
/// std::fs::write(&path, "5.1,3.5,1.4,0.2,setosa\n6.2,2.9,4.3,1.3,versicolor\n").unwrap();
/// let iris = csv::read(&path, CsvOptions::new().target(4))?;
/// assert_eq!(iris.dataset.labels(), [0, 1]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CsvOptions {
    pub(super) target: Option<Column>,
    pub(super) values: Vec<Column>,
    pub(super) ignored: Vec<Column>,
    pub(super) id: Option<Column>,
    pub(super) header: Header,
    pub(super) delimiter: u8,
    pub(super) images: Option<Shape>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            target: None,
            values: Vec::new(),
            ignored: Vec::new(),
            id: None,
            header: Header::Detect,
            delimiter: b',',
            images: None,
        }
    }
}

impl CsvOptions {
    /// Every column is a feature.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the column with the class of each row: whole numbers from 0, or texts, which are numbered in the order of the
    /// alphabet.
    #[must_use]
    pub fn target(self, column: impl Into<Column>) -> Self {
        Self { target: Some(column.into()), ..self }
    }

    /// Sets the columns with the values that a model is to give, in this order.
    #[must_use]
    pub fn values<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self { values: columns.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets columns that are not read.
    #[must_use]
    pub fn ignore<C: Into<Column>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self { ignored: columns.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the column with the [name](crate::Dataset::with_ids) of each row.
    #[must_use]
    pub fn id(self, column: impl Into<Column>) -> Self {
        Self { id: Some(column.into()), ..self }
    }

    /// Sets whether the first row has the names of the columns.
    #[must_use]
    pub fn header(self, header: Header) -> Self {
        Self { header, ..self }
    }

    /// Sets what stands between fields, a comma by default.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// The features are the pixels of an image of this shape, (H, W, C), row by row: whole numbers from 0 to 255.
    #[must_use]
    pub fn images(self, shape: [usize; 3]) -> Self {
        Self { images: Some(shape.into()), ..self }
    }
}
