//! Rows of a table.

use super::{Declare, Lengths};

/// For each token the row of a table of that number: the table is its weight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    /// How many rows the table has.
    pub(crate) rows: usize,
    /// The values of a row.
    pub(crate) len: usize,
    /// Which of [`Plan::tables`](crate::plan::Plan::tables) takes its gradients, once `plan` has decided that.
    pub(crate) table: Option<usize>,
}

impl Declare for Lookup {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn reads_all_weights(&self) -> bool {
        false
    }
}
