//! Names of examples, and pseudonyms in their place.

use super::Dataset;
use super::inputs::nouns;
use crate::error::{Error, Result};
use std::sync::Arc;

impl Dataset {
    /// The data set with a name for each example, such as a file name or a number in a register: to find an example again
    /// among those that [`select`](Self::select), [`shuffle`](Self::shuffle) or [`split`](Self::split) give. Models see
    /// nothing of them.
    ///
    /// # Errors
    /// [`Error::Data`] if there is not exactly one for each example.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// let table = array![[61.0, 1.0], [47.0, 0.0], [58.0, 1.0]];
    /// let patients = Dataset::from_table(table, vec![1, 0, 1])?.with_ids(["Ada", "Bob", "Cleo"])?;
    /// assert_eq!(patients.select(&[2, 0])?.ids().collect::<Vec<_>>(), ["Cleo", "Ada"]);
    /// assert_eq!(patients.get(1).unwrap().id(), Some("Bob"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn with_ids<S: Into<String>>(&self, ids: impl IntoIterator<Item = S>) -> Result<Self> {
        let ids: Arc<[Arc<str>]> = ids.into_iter().map(|id| Arc::from(id.into())).collect();
        if ids.len() != self.len() {
            let [noun, plural] = nouns(self.shape());
            return Err(Error::Data(format!(
                "there must be one id for each {noun}, got {} {plural} and {} ids",
                self.len(),
                ids.len()
            )));
        }
        Ok(self.with_names(ids))
    }

    /// The names of the examples; nothing if they have none.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> {
        let range = if self.ids.is_empty() { 0..0 } else { self.range.clone() };
        self.ids[range].iter().map(|id| &**id)
    }

    /// The data set with a pseudonym in the place of each name, which only those who have the key can trace back: the same
    /// name gets the same one, in other data sets too. [`PseudonymKey`](crate::protect::PseudonymKey) says how it is found.
    ///
    /// A pseudonym hides a name, not a person: what an example says of somebody may still tell who it is. Laws call such
    /// data personal as long as anybody has the key.
    ///
    /// # Errors
    /// [`Error::Data`] if the examples have no names.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// use inkstone::protect::PseudonymKey;
    /// let visits = Dataset::from_table(array![[61.0], [47.0], [62.0]], vec![1, 0, 1])?.with_ids(["Ada", "Bob", "Ada"])?;
    /// let visits = visits.pseudonymise(&PseudonymKey::generate()?)?;
    /// let ids: Vec<&str> = visits.ids().collect();
    /// assert!(ids[0] == ids[2] && ids[0] != ids[1] && !ids.contains(&"Ada"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[cfg(feature = "protect")]
    #[doc(alias = "pseudonymize")]
    #[doc(alias = "anonymise")]
    pub fn pseudonymise(&self, key: &crate::protect::PseudonymKey) -> Result<Self> {
        if self.ids.is_empty() {
            return Err(Error::Data(
                "the examples have no names that pseudonyms could stand for: set `with_ids` first".into(),
            ));
        }
        self.with_ids(self.ids().map(|id| key.pseudonym(id)).collect::<Vec<_>>())
    }
}
