//! Loads what is there, and looks every second whether it has changed.

use super::files::{Found, Place, State};
use super::{Loaded, Registry};
use crate::metrics::Metrics;
use inkstone::protect::Access;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often is looked for changes. A new file is loaded when it was the same twice, as it may be written still.
const PERIOD: Duration = Duration::from_millis(500);

/// After how long a file that did not load is tried again, though it is the same.
const AGAIN: Duration = Duration::from_secs(15);

/// Where models come from, and what of them is known.
pub(crate) struct Sources {
    places: Vec<Place>,
    access: Access,
    seen: BTreeMap<(String, u64), Seen>,
    /// What was said last of places that cannot be read.
    faults: Vec<String>,
}

/// A file as it was seen.
struct Seen {
    state: State,
    /// What became of this state.
    tried: Tried,
    /// How often in a row it was not there.
    missing: u32,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tried {
    /// It may be written still.
    NotYet,
    Loaded,
    /// Why not, and when. The reason may pass without a change of the file, such as a disk that fails.
    Failed(String, Instant),
}

impl Sources {
    /// # Errors
    /// What is wrong with an argument.
    pub(crate) fn new(arguments: &[String], access: Access) -> Result<Self, String> {
        let places = arguments.iter().map(|argument| Place::parse(argument)).collect::<Result<_, _>>()?;
        Ok(Self { places, access, seen: BTreeMap::new(), faults: Vec::new() })
    }

    /// Loads what is new at once, without waiting whether it is written still.
    pub(crate) fn load_all(&mut self, registry: &Registry, metrics: &Metrics) {
        for (key, found) in self.files().unwrap_or_default() {
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
        // Where a place cannot be read, nothing is known to be gone.
        let Some(files) = self.files() else { return };
        for (key, found) in &files {
            match self.seen.get_mut(key) {
                Some(seen) if seen.state == found.state => {
                    seen.missing = 0;
                    let is_due = match &seen.tried {
                        Tried::NotYet => true,
                        Tried::Loaded => false,
                        Tried::Failed(_, when) => when.elapsed() > AGAIN,
                    };
                    if is_due {
                        self.load(key, found, registry, metrics);
                    }
                }
                Some(seen) => (seen.state, seen.tried, seen.missing) = (found.state.clone(), Tried::NotYet, 0),
                None => {
                    let seen = Seen { state: found.state.clone(), tried: Tried::NotYet, missing: 0 };
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
        let mut tried = Tried::Loaded;
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
                // Not again and again while nothing changes.
                let before = self.seen.get(key).map(|seen| &seen.tried);
                if !matches!(before, Some(Tried::Failed(said, _)) if *said == fault) {
                    tracing::error!(model = %name, version, "not loaded; what was served before, if anything, is served still: {fault}");
                }
                tried = Tried::Failed(fault, Instant::now());
            }
        }
        self.seen.insert(key.clone(), Seen { state: found.state.clone(), tried, missing: 0 });
    }

    /// All files that are there; `None` if a place cannot be read.
    fn files(&mut self) -> Option<BTreeMap<(String, u64), Found>> {
        let (mut all, mut faults) = (BTreeMap::new(), Vec::new());
        for place in &self.places {
            match place.files() {
                Ok(files) => all.extend(files),
                Err(fault) => faults.push(fault),
            }
        }
        if faults != self.faults {
            faults.iter().for_each(|fault| tracing::error!("{fault}"));
            self.faults = faults;
        }
        self.faults.is_empty().then_some(all)
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
