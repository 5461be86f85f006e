//! Prints what a training and its callbacks tell.

use std::io::{self, Write};

/// Prints a line. Unlike `println!` it does not panic when the reader of a pipe is gone.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
