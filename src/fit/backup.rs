//! Decides when a training writes checkpoints, which of them are kept, and which one an interrupted training resumes
//! from.

use crate::callbacks::{BackupAndRestore, Callbacks, SaveFreq};
use crate::error::{Error, ModelFault, Result};
use crate::model::Model;
use crate::saving::{CustomObjects, LoadLimits, LoadOptions};
use crate::training::say;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file that a training locks. It is never removed; the system releases the lock when the program ends.
const LOCK: &str = "lock";

/// Prefix and suffix of the names of checkpoints; between them is the number of steps.
const NAME: (&str, &str) = ("step-", ".safetensors");

/// The interface that `fit` uses for backups. It is a trait so that programs without backups contain no code for model
/// files.
pub(super) trait Backup: Debug + Send {
    /// # Errors
    /// [`Error::Setting`] for a number out of range.
    fn check(&self) -> Result<()>;

    /// Loads the newest valid checkpoint into the model, if there is one.
    fn restore(&self, model: &mut Model, epochs: usize, verbose: u8) -> Result<()>;

    /// Locks the folder against other trainings, until the result is dropped or the program ends.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if another one is at work there.
    fn lock(&self) -> Result<Lock>;

    /// Whether it is time for a checkpoint within an epoch.
    fn is_due(&self, model: &Model) -> bool;

    /// Writes a checkpoint, and removes those that are not kept.
    fn write(&self, model: &Model, callbacks: &Callbacks<'_>) -> Result<()>;

    /// What there is to do when training has ended.
    fn end(&self) -> Result<()>;
}

/// A folder that this training alone writes checkpoints to, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// To close the file is not enough: a process that was forked meanwhile has it open too, until its program starts.
    fn drop(&mut self) {
        // A file system without locks has none to give back.
        let _ = self.0.unlock();
    }
}

impl Backup for BackupAndRestore {
    fn check(&self) -> Result<()> {
        let setting = |name, expected| Err(Error::Setting { name, expected, received: "0".into() });
        if self.keep == 0 {
            return setting("keep", "at least 1 checkpoint");
        }
        match self.save_freq {
            SaveFreq::Batches(0) => setting("save_freq", "at least 1 batch"),
            SaveFreq::Batches(_) | SaveFreq::Epoch => Ok(()),
        }
    }

    fn restore(&self, model: &mut Model, epochs: usize, verbose: u8) -> Result<()> {
        if !model.follows() {
            self.restore_newest(model, epochs, verbose)?;
        }
        model.become_that_of_first()
    }

    fn lock(&self) -> Result<Lock> {
        fs::create_dir_all(&self.backup_dir).map_err(|source| self.not_written(source))?;
        let path = self.backup_dir.join(LOCK);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|source| Error::NotWritten {
            place: path.display().to_string(),
            reason: format!("the file that locks the folder could not be opened ({source}): give another folder"),
            source,
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            // Not every file system has locks, and each tells it otherwise.
            Err(TryLockError::Error(_)) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::NotWritten {
                place: self.backup_dir.display().to_string(),
                reason: "another training writes its checkpoints there: give each `fit` a folder of its own".into(),
                source: ErrorKind::WouldBlock.into(),
            }),
        }
    }

    fn is_due(&self, model: &Model) -> bool {
        match self.save_freq {
            SaveFreq::Batches(every) => model.state.step.is_multiple_of(every as u64),
            SaveFreq::Epoch => false,
        }
    }

    fn write(&self, model: &Model, callbacks: &Callbacks<'_>) -> Result<()> {
        fs::create_dir_all(&self.backup_dir).map_err(|source| self.not_written(source))?;
        let step = model.state.step;
        let (start, end) = NAME;
        model.write_checkpoint(&self.backup_dir.join(format!("{start}{step:012}{end}")), &callbacks.states())?;
        let all = self.checkpoints()?;
        // Those of later steps were passed over as damaged; this training comes there again.
        let (before, behind) = all.split_at(all.partition_point(|(other, _)| *other <= step));
        let old = before.len().saturating_sub(self.keep);
        remove(before[..old].iter().chain(behind))
    }

    fn end(&self) -> Result<()> {
        if self.delete_checkpoint { remove(self.checkpoints()?.iter()) } else { Ok(()) }
    }
}

impl BackupAndRestore {
    /// Loads the newest valid checkpoint.
    fn restore_newest(&self, model: &mut Model, epochs: usize, verbose: u8) -> Result<()> {
        let tell = |line: String| {
            if verbose > 0 {
                say(&line)
            }
        };
        // This training wrote them: a model that is too large for strangers' files is not passed over.
        let options = LoadOptions::new().limits(LoadLimits::unlimited()).custom_objects(CustomObjects::of(model));
        for (_, path) in self.checkpoints()?.into_iter().rev() {
            let found = match Model::resume_with(&path, options.clone()) {
                Ok(found) => found,
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
                // Nothing is wrong with it; an older one would be no better.
                Err(
                    error @ Error::ModelFile { fault: ModelFault::Version { .. } | ModelFault::CustomObject(_), .. },
                ) => return Err(error),
                Err(Error::ModelFile { place, fault }) => {
                    tell(format!("Passing over {place}: {fault}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let place = path.display().to_string();
            if let Some(difference) = difference(model, &found) {
                return Err(Error::ModelFile { place, fault: ModelFault::OtherTraining(difference) });
            }
            let exchange = model.engine.exchange.take();
            *model = found;
            model.engine.exchange = exchange;
            if let Some(position) = &model.ongoing.position {
                let (epoch, batch) = (position.epoch + 1, position.batches + 1);
                if !position.is_over(epochs) {
                    tell(format!("Resuming from {place}, with epoch {epoch}, batch {batch}"));
                } else if position.stops {
                    let ended = position.epoch;
                    tell(format!("The training of {place} was stopped after epoch {ended}: nothing is left to do"));
                } else {
                    tell(format!("The training of {place} has had its {epochs} epochs: nothing is left to do"));
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// The folder's checkpoints with the steps they were written after, in this order.
    fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let entries = match fs::read_dir(&self.backup_dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| io(&self.backup_dir, source))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| io(&self.backup_dir, source))?;
            let name = entry.file_name();
            let steps = name.to_str().and_then(|name| name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?.parse().ok());
            found.extend(steps.map(|steps: u64| (steps, entry.path())));
        }
        found.sort();
        Ok(found)
    }

    fn not_written(&self, source: std::io::Error) -> Error {
        let reason = format!("the folder for checkpoints could not be made ({source}): give the path of one that can");
        Error::NotWritten { place: self.backup_dir.display().to_string(), reason, source }
    }
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io { place: path.display().to_string(), source }
}

fn remove<'p>(checkpoints: impl Iterator<Item = &'p (u64, PathBuf)>) -> Result<()> {
    for (_, path) in checkpoints {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(path, error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// How the training of a checkpoint differs from the one to be resumed.
fn difference(model: &Model, found: &Model) -> Option<String> {
    let Some(position) = &found.ongoing.position else {
        return Some("a model that was not being trained".into());
    };
    let mut optimizer = model.optimizer.clone();
    let step = model.state.step;
    // Callbacks may have set the rate; where it follows a schedule, that is not possible, and both must be the same.
    let _ = optimizer.set_learning_rate(found.optimizer.learning_rate().at(step));
    let began = model.ongoing.position.map_or(step, |position| position.began);
    let what = if model.network != found.network {
        "other layers"
    } else if optimizer != found.optimizer {
        "another optimizer"
    } else if model.loss() != found.loss() || model.metrics() != found.metrics() {
        "another loss or other metrics"
    } else if began != position.began {
        return Some(format!(
            "a training that began after {} steps, not after {began} (a model that is built anew resumes it)",
            position.began
        ));
    } else {
        return None;
    };
    Some(format!("a model with {what}"))
}
