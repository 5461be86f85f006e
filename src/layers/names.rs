//! Which names users may give to layers. How the others are named is decided in `plan`.

use super::{Layer, Network};
use crate::error::{Error, Result};
use std::collections::HashMap;

/// Declares the setter and the field of a name.
macro_rules! name_setter {
    () => {
        /// Names the layer, in errors, summaries, files and the names of its weights; otherwise it is named after its
        /// type. Letters, digits and `_-.@`; no two layers of a model may have one name.
        #[must_use]
        pub fn name(self, name: impl Into<String>) -> Self {
            Self { name: Some(name.into()), ..self }
        }
    };
}
pub(super) use name_setter;

/// Names that the tensors of a checkpoint begin with.
pub(super) const RESERVED: [&str; 3] = ["optimizer", "callbacks", "training"];

/// The most characters of a name.
const MAX_CHARACTERS: usize = 100;

impl Network {
    /// # Errors
    /// [`Error::Layer`] for the first layer with a name that cannot be, or that an earlier layer has.
    pub(super) fn check_names(&self) -> Result<()> {
        let mut taken: HashMap<String, usize> = HashMap::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(name) = layer.given_name() else { continue };
            check_name(&name).map_err(|problem| Error::Layer { index, kind: layer.kind(), name: None, problem })?;
            if let Some(earlier) = taken.insert(name.into_owned(), index) {
                let other = self.layers[earlier].kind();
                let problem = format!("has the name of layer {earlier} ({other}): give each layer a name of its own");
                return Err(layer.fault(index, problem));
            }
        }
        Ok(())
    }
}

/// Whether logs, files and other programs take this name.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let characters = name.chars().count();
    if characters > MAX_CHARACTERS {
        return Err(format!("has a name of {characters} characters: use at most {MAX_CHARACTERS}"));
    }
    let is_sound = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-.@".contains(letter));
    if !is_sound {
        return Err(format!("has the name {name:?}: use letters, digits and _-.@, at least one"));
    }
    if RESERVED.contains(&name) {
        return Err(format!("has the name {name:?}, which checkpoints use themselves: choose another one"));
    }
    Ok(())
}

impl Layer {
    /// Its type, and its name if it was given one, as in `Dense "head"`.
    pub(crate) fn title(&self) -> String {
        match self.given_name() {
            None => self.kind().to_owned(),
            Some(name) => format!("{} {name:?}", self.kind()),
        }
    }

    /// The error of a layer at this place in the model.
    pub(crate) fn fault(&self, index: usize, problem: String) -> Error {
        let name = self.given_name().map(std::borrow::Cow::into_owned);
        Error::Layer { index, kind: self.kind(), name, problem }
    }
}
