//! Loads what is there, and looks every second whether it has changed.

use super::files::{Found, Place, State};
use super::{Loaded, Registry};
use crate::metrics::Metrics;
use inkstone::protect::Access;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often is looked for changes. A new file is loaded when it was the same twice, as it may be written still.
const PERIOD: Duration = Duration::from_millis(500);

/// Where models come from, and what of them is known.
pub(crate) struct Sources {
    places: Vec<Place>,
    access: Access,
    seen: BTreeMap<(String, u64), Seen>,
}

/// A file as it was seen.
struct Seen {
    state: State,
    /// Whether this state is what was loaded, or failed to.
    is_done: bool,
    /// How often in a row it was not there.
    missing: u32,
}

impl Sources {
    /// # Errors
    /// What is wrong with an argument.
    pub(crate) fn new(arguments: &[String], access: Access) -> Result<Self, String> {
        let places = arguments.iter().map(|argument| Place::parse(argument)).collect::<Result<_, _>>()?;
        Ok(Self { places, access, seen: BTreeMap::new() })
    }

    /// Loads what is new at once, without waiting whether it is written still.
    pub(crate) fn load_all(&mut self, registry: &Registry, metrics: &Metrics) {
        for (key, found) in self.files() {
            self.load(&key, &found, registry, metrics);
        }
        for place in &self.places {
            if let Place::File { name, path } = place
                && !self.seen.contains_key(&(name.clone(), 1))
            {
                registry.fail(name, 1, format!("{}: there is no such file", path.display()));
                tracing::error!(model = %name, "{}: there is no such file", path.display());
            }
        }
        registry.complete();
    }

    /// Loads what has changed, and drops what is gone.
    pub(crate) fn look(&mut self, registry: &Registry, metrics: &Metrics) {
        let files = self.files();
        for (key, found) in &files {
            match self.seen.get_mut(key) {
                Some(seen) if seen.state == found.state => {
                    seen.missing = 0;
                    if !seen.is_done {
                        self.load(key, found, registry, metrics);
                    }
                }
                Some(seen) => (seen.state, seen.is_done, seen.missing) = (found.state.clone(), false, 0),
                None => {
                    let seen = Seen { state: found.state.clone(), is_done: false, missing: 0 };
                    self.seen.insert(key.clone(), seen);
                }
            }
        }
        let gone: Vec<(String, u64)> = self
            .seen
            .iter_mut()
            .filter(|(key, _)| !files.contains_key(*key))
            .filter_map(|(key, seen)| {
                seen.missing += 1;
                (seen.missing > 1).then(|| key.clone())
            })
            .collect();
        for key in gone {
            self.seen.remove(&key);
            registry.remove(&key.0, key.1);
            metrics.removed(&key.0, key.1);
            tracing::info!(model = %key.0, version = key.1, "removed: its file is gone");
        }
    }

    fn load(&mut self, key: &(String, u64), found: &Found, registry: &Registry, metrics: &Metrics) {
        let (name, version) = key;
        let seen = Seen { state: found.state.clone(), is_done: true, missing: 0 };
        self.seen.insert(key.clone(), seen);
        match Loaded::read(name, *version, &found.path, &self.access) {
            Ok(loaded) => {
                let digest = loaded.digest.clone();
                metrics.loaded(name, *version);
                registry.put(loaded);
                // Said when it is so.
                tracing::info!(model = %name, version, %digest, "loaded");
            }
            Err(fault) => {
                metrics.failed(name);
                registry.fail(name, *version, fault.clone());
                tracing::error!(model = %name, version, "not loaded, what was served before is served still: {fault}");
            }
        }
    }

    fn files(&self) -> BTreeMap<(String, u64), Found> {
        let mut all = BTreeMap::new();
        for place in &self.places {
            match place.files() {
                Ok(files) => all.extend(files),
                Err(fault) => tracing::error!("{fault}"),
            }
        }
        all
    }
}

/// Looks for changes until the process ends, on a thread of its own: reading a model takes long.
pub(crate) fn watch(mut sources: Sources, registry: Arc<Registry>, metrics: Arc<Metrics>) {
    let watching = std::thread::Builder::new().name("models".into()).spawn(move || {
        loop {
            std::thread::sleep(PERIOD);
            sources.look(&registry, &metrics);
        }
    });
    if let Err(error) = watching {
        tracing::error!("changes of models are not seen: {error}");
    }
}
