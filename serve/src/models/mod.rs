//! The models that are served: by name and version, and how they come and go.

mod card;
mod files;
mod loaded;
mod watch;

pub(crate) use loaded::Loaded;
pub(crate) use watch::{Sources, watch};

use crate::fault::Refusal;
use axum::http::StatusCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, RwLock};

/// All models, and what is wrong with those that did not load. A request takes a model out, and keeps it to its end:
/// what replaces it meanwhile is for those that come.
#[derive(Default)]
pub(crate) struct Registry {
    models: RwLock<BTreeMap<String, Model>>,
    /// The models that were there at the start, once all of them have been tried.
    first: OnceLock<BTreeSet<String>>,
}

/// The versions of a model.
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) versions: BTreeMap<u64, Version>,
}

/// A version: what is served of it, and why what is in its file now is not.
#[derive(Clone, Default)]
pub(crate) struct Version {
    pub(crate) loaded: Option<Arc<Loaded>>,
    pub(crate) fault: Option<String>,
}

impl Registry {
    /// Serves this model from now on.
    fn put(&self, loaded: Loaded) {
        let loaded = Arc::new(loaded);
        self.change(|models| {
            let model = models.entry(loaded.name.clone()).or_default();
            model.versions.insert(loaded.version, Version { loaded: Some(loaded.clone()), fault: None });
        });
    }

    /// Remembers that a file does not load. What was served before is served still.
    fn fail(&self, name: &str, version: u64, fault: String) {
        self.change(|models| {
            let model = models.entry(name.to_owned()).or_default();
            model.versions.entry(version).or_default().fault = Some(fault);
        });
    }

    /// Serves this version no more.
    fn remove(&self, name: &str, version: u64) {
        self.change(|models| {
            let Some(model) = models.get_mut(name) else { return };
            model.versions.remove(&version);
            if model.versions.is_empty() {
                models.remove(name);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Model>)) {
        change(&mut self.models.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// All that was there at the start has been tried.
    fn complete(&self) {
        let names = self.all().into_keys().collect();
        self.first.get_or_init(|| names);
    }

    /// The models as they are now.
    pub(crate) fn all(&self) -> BTreeMap<String, Model> {
        self.models.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Whether all were tried, something is served, and of what was there at the start all that is still there. A model that
    /// comes later and does not load takes nothing from those that are served.
    pub(crate) fn is_ready(&self) -> bool {
        let Some(first) = self.first.get() else { return false };
        let models = self.all();
        let is_served = |model: &Model| model.versions.values().any(|version| version.loaded.is_some());
        models.values().any(is_served) && models.iter().all(|(name, model)| is_served(model) || !first.contains(name))
    }

    /// Whether there is a model of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.models.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(name)
    }

    /// The versions of a model.
    ///
    /// # Errors
    /// [`Refusal`] if there is no such model.
    pub(crate) fn model(&self, name: &str) -> Result<Model, Refusal> {
        let models = self.models.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        models.get(name).cloned().ok_or_else(|| unknown(name, None))
    }

    /// A model to predict with: this version, or the highest that is served.
    ///
    /// # Errors
    /// [`Refusal`] if there is no such model or version, or it did not load, with why.
    pub(crate) fn get(&self, name: &str, version: Option<u64>) -> Result<Arc<Loaded>, Refusal> {
        let models = self.models.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let model = models.get(name).ok_or_else(|| unknown(name, None))?;
        let found = match version {
            Some(version) => model.versions.get(&version),
            None => model
                .versions
                .values()
                .rev()
                .find(|version| version.loaded.is_some())
                .or(model.versions.values().next()),
        };
        let found = found.ok_or_else(|| unknown(name, version))?;
        found.loaded.clone().ok_or_else(|| {
            let fault = found.fault.as_deref().unwrap_or("it is not loaded yet");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("the model `{name}` is not served: {fault}"))
        })
    }
}

fn unknown(name: &str, version: Option<u64>) -> Refusal {
    let name: String = name.chars().take(100).collect();
    Refusal::not_found(match version {
        Some(version) => format!("there is no version {version} of the model `{name}`"),
        None => format!("there is no model `{name}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkstone::prelude::*;
    use inkstone::protect::Access;

    #[test]
    fn nothing_is_ready_before_all_were_tried() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let described = Sequential::new([2]).add(Dense::new(3).activation(Softmax));
        let model = described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
        model.save(file.path()).unwrap();
        let registry = Registry::default();
        registry.put(Loaded::read("first", 1, file.path(), &Access::new()).unwrap());
        assert!(registry.get("first", None).is_ok() && !registry.is_ready());
        registry.complete();
        assert!(registry.is_ready());
        // What comes later and does not load is no reason to ask none of the others.
        registry.fail("second", 1, "it is none".into());
        assert!(registry.is_ready());
        let other = Registry::default();
        other.put(Loaded::read("first", 1, file.path(), &Access::new()).unwrap());
        other.fail("second", 1, "it is none".into());
        other.complete();
        assert!(!other.is_ready());
    }
}
