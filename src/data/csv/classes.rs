//! Which texts of a column are classes, and their numbers.

use super::read::{MISSING, text};
use std::collections::BTreeMap;

/// More different texts than these are no classes.
pub(super) const MOST_CLASSES: usize = 1 << 16;

/// The texts so far, with numbers in the order of their coming.
#[derive(Default)]
pub(super) struct Classes(BTreeMap<String, usize>);

/// What a field says of its row's class.
pub(super) enum Class {
    Known(usize),
    Missing,
    /// Texts that are no classes.
    TooMany,
}

impl Classes {
    pub(super) fn number(&mut self, field: &[u8]) -> Class {
        let class = text(field);
        let class = class.trim();
        let next = self.0.len();
        match self.0.get(class) {
            _ if MISSING.contains(&class) => Class::Missing,
            Some(number) => Class::Known(*number),
            None if next == MOST_CLASSES => Class::TooMany,
            None => {
                self.0.insert(class.to_owned(), next);
                Class::Known(next)
            }
        }
    }

    /// Labels by the numbers that the classes are, or by their place in the alphabet, with their names.
    pub(super) fn numbered(self, labels: Vec<usize>) -> (Vec<usize>, Vec<String>) {
        let mut numbers = vec![0; self.0.len()];
        let as_numbers = self.0.iter().try_for_each(|(class, place)| {
            numbers[*place] = class.parse().ok()?;
            Some(())
        });
        if as_numbers.is_some() {
            return (labels.into_iter().map(|place| numbers[place]).collect(), Vec::new());
        }
        self.0.values().enumerate().for_each(|(number, place)| numbers[*place] = number);
        (labels.into_iter().map(|place| numbers[place]).collect(), self.0.into_keys().collect())
    }
}
