//! How the page's one switch varies pictures: as hands vary, so nothing is mirrored.

use inkstone::data::Augment;

/// Shifts, turns and sizes as people write.
pub(crate) fn of_handwriting() -> Augment {
    Augment::new().shift(2.0).rotate(10.0).zoom(0.1)
}
