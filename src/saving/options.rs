//! What a program may say of a file that it loads.

use super::{CustomObjects, LoadLimits};

/// How a model is loaded: what [`Model::load_with`](crate::Model::load_with) and its siblings take. [`LoadLimits`] or
/// [`CustomObjects`] alone are options, too.
///
/// ```
/// use inkstone::custom::CustomObjects;
/// use inkstone::{LoadLimits, LoadOptions};
/// let options = LoadOptions::new().limits(LoadLimits::unlimited()).custom_objects(CustomObjects::new());
/// assert_eq!(options.limits, LoadLimits::unlimited());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// How much the model may take.
    pub limits: LoadLimits,
    /// The types of your own that the file may name.
    pub custom_objects: CustomObjects,
}

impl LoadOptions {
    /// The default limits, and no types of your own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how much the model may take.
    #[must_use]
    pub fn limits(self, limits: LoadLimits) -> Self {
        Self { limits, ..self }
    }

    /// Sets which types of your own the file may name.
    #[must_use]
    pub fn custom_objects(self, custom_objects: CustomObjects) -> Self {
        Self { custom_objects, ..self }
    }
}

impl From<LoadLimits> for LoadOptions {
    fn from(limits: LoadLimits) -> Self {
        Self::new().limits(limits)
    }
}

impl From<CustomObjects> for LoadOptions {
    fn from(custom_objects: CustomObjects) -> Self {
        Self::new().custom_objects(custom_objects)
    }
}

impl From<&CustomObjects> for LoadOptions {
    fn from(custom_objects: &CustomObjects) -> Self {
        custom_objects.clone().into()
    }
}
