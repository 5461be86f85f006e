//! Limits the length of a row: the parser keeps a row until it ends, which one of a packed file may never do.

use std::io::{self, ErrorKind, Read};

/// The longest row: a picture of a million pixels has 4 MB.
const MAX_ROW: usize = 1 << 26;
/// How much the parser reads at once, and so perhaps of the next row.
pub(super) const READ_AHEAD: usize = 1 << 16;

/// A reader that fails in a row that is too long.
pub(super) struct Limited<R> {
    source: R,
    /// How many bytes of this row may still come.
    left: usize,
}

impl<R> Limited<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, left: MAX_ROW + READ_AHEAD }
    }

    /// Said before each row.
    pub(super) fn start_row(&mut self) {
        self.left = MAX_ROW + READ_AHEAD;
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            let text = "expected rows of at most 64 MiB, found a longer one: is a quotation mark not closed?";
            io::Error::new(ErrorKind::FileTooLarge, text)
        })?;
        Ok(count)
    }
}

/// Whether it is the error of a [`Limited`]. The system says the same of writing only.
pub(super) fn is_too_long(error: &io::Error) -> bool {
    error.kind() == ErrorKind::FileTooLarge
}
