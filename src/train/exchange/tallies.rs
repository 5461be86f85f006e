//! What ranks tell each other of scores, in training and in validation.

use super::super::{Engine, Examples, Tally};
use super::Exchange;
use crate::distributed::Group;
use crate::error::Result;
use crate::train::stretches::Stretches;

/// Everybody gets the tallies of all, of which each rank has made its own.
///
/// - own: of this rank, as [`write_tally`] has them; all: to be written, in their order; examples: of each tally
pub(super) fn gather_tallies<'t>(
    group: &Group,
    own: &[u8],
    all: impl Iterator<Item = &'t mut Tally>,
    examples: &[usize],
) -> Result<()> {
    let mut all = all.peekable();
    let Some(len) = all.peek().map(|tally| tally.sums().len() * size_of::<f64>()) else { return Ok(()) };
    let lens: Vec<usize> = (0..group.size()).map(|rank| group.part(examples.len(), rank).len() * len).collect();
    let bytes = group.all_gather(own, &lens)?;
    for ((tally, examples), bytes) in all.zip(examples).zip(bytes.chunks_exact(len)) {
        let sums = bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        tally.set_sums(*examples, &sums.collect::<Vec<_>>());
    }
    Ok(())
}

pub(super) fn write_tally(tally: &Tally, to: &mut Vec<u8>) {
    to.extend(tally.sums().into_iter().flat_map(f64::to_le_bytes));
}

impl Engine {
    /// Scores examples without changing anything, together with the other ranks if there are any.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if one cannot be reached.
    pub(crate) fn score_together(&self, examples: &Examples<'_>) -> Result<Tally> {
        let Some(group) = self.exchange.as_ref().map(Exchange::group) else { return Ok(self.score(examples)) };
        let Stretches { count, .. } = self.stretches(examples);
        let mut tallies = vec![self.scoring.tally(); count];
        let own = group.own(count);
        self.score_stretches(examples, own.clone(), &mut tallies[own.clone()]);
        let lens: Vec<usize> = (0..count).map(|index| self.stretches(examples).places(index).len()).collect();
        let mut given = Vec::new();
        tallies[own].iter().for_each(|tally| write_tally(tally, &mut given));
        gather_tallies(group, &given, tallies.iter_mut(), &lens)?;
        Ok(self.total(&tallies))
    }
}
