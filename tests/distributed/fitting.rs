//! What else belongs to a `fit`: checkpoints, what stops it, and a rank that is slow.

use super::threads::on_ranks;
use super::{images, small};
use inkstone::callbacks::{CsvLogger, EarlyStopping, LambdaCallback, ModelCheckpoint, SaveFreq};
use inkstone::distributed::{Communicator, SumOrder};
use inkstone::prelude::*;
use inkstone::{Interrupt, Result};
use std::path::Path;
use std::time::Duration;

fn config(folder: &Path) -> FitConfig<'static> {
    let backup = BackupAndRestore::new(folder).save_freq(SaveFreq::Batches(3));
    FitConfig::new().epochs(4).batch_size(20).backup(backup).verbose(0)
}

#[test]
fn a_training_is_resumed_by_another_number_of_ranks() {
    let data = images(100, 6);
    let mut alone = small();
    alone.fit(&data, FitConfig::new().epochs(4).batch_size(20).verbose(0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // One rank, and no other, is interrupted in the middle of the second epoch; then in that of the third.
    for (ranks, epoch) in [(3, 1), (2, 2)] {
        let ended = on_ranks(ranks, 1, |communicator| {
            let is_last = communicator.rank() + 1 == ranks;
            let mut model = small();
            model.distribute(communicator, SumOrder::Shards).unwrap();
            let interrupt = Interrupt::new();
            let pulled = interrupt.clone();
            let pulls = LambdaCallback::new().on_train_batch_end(move |batch, _, training| {
                if is_last && (training.model().epochs(), batch) == (epoch, 1) {
                    pulled.interrupt();
                }
                Ok(())
            });
            let history = model.fit(&data, config(folder.path()).interrupt(&interrupt).callback(pulls)).unwrap();
            (model.epochs(), history.epochs.len())
        });
        assert!(ended.iter().all(|(epochs, _)| *epochs == epoch), "{ended:?}");
    }
    let weights = on_ranks(4, 1, |communicator| {
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        model.fit(&data, config(folder.path())).unwrap();
        model.get_weights()
    });
    assert!(weights.iter().all(|weights| *weights == alone.get_weights()));
    // Two checkpoints, and the lock.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn all_ranks_stop_where_one_process_does() {
    let data = images(60, 6);
    let train = |model: &mut Model| {
        let stopping = EarlyStopping::new("val_loss").patience(0).restore_best_weights(true);
        let config = FitConfig::new().epochs(30).batch_size(16).validation_split(0.3).callback(stopping).verbose(0);
        (model.fit(&data, config).unwrap().epochs.len(), model.get_weights())
    };
    let expected = train(&mut small());
    let found = on_ranks(2, 1, |communicator| {
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        train(&mut model)
    });
    assert!(found.iter().all(|found| *found == expected));
}

#[test]
fn one_rank_stops_all() {
    let data = images(60, 6);
    let epochs = on_ranks(3, 1, |communicator| {
        let stops = communicator.rank() == 1;
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        let callback = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
            if stops && (training.model().epochs(), batch) == (1, 2) {
                training.stop_training();
            }
            Ok(())
        });
        // The others have no callbacks.
        let config = FitConfig::new().epochs(9).batch_size(16).verbose(0);
        let config = if stops { config.callback(callback) } else { config };
        let history = model.fit(&data, config).unwrap();
        (history.epochs.len(), history.epochs[1].training.loss)
    });
    assert_eq!(epochs[0].0, 2);
    assert!(epochs.iter().all(|found| *found == epochs[0]), "{epochs:?}");
}

#[test]
fn a_slow_rank_is_waited_for() {
    let data = images(60, 6);
    let train = |model: &mut Model, slow: bool| -> Result<_> {
        let sleep = LambdaCallback::new().on_train_batch_begin(|_, _| {
            if slow {
                std::thread::sleep(Duration::from_millis(30));
            }
            Ok(())
        });
        model.fit(&data, FitConfig::new().batch_size(16).callback(sleep).verbose(0))?;
        Ok(model.get_weights())
    };
    let expected = train(&mut small(), false).unwrap();
    let found = on_ranks(3, 1, |communicator| {
        let slow = communicator.rank() == 1;
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        train(&mut model, slow).unwrap()
    });
    assert!(found.iter().all(|found| *found == expected));
}

#[test]
fn all_get_the_weights_of_rank_0() {
    let data = images(60, 6);
    let weights = on_ranks(3, 1, |communicator| {
        let mut model = small();
        if communicator.rank() == 0 {
            model.fit(&data, FitConfig::new().verbose(0)).unwrap();
        }
        model.distribute(communicator, SumOrder::Shards).unwrap();
        assert_eq!(model.epochs(), 1);
        model.get_weights()
    });
    assert!(weights.iter().all(|found| *found == weights[0]));
}

#[test]
fn rank_0_alone_writes_files() {
    let data = images(60, 6);
    let folders = on_ranks(2, 1, |communicator| {
        let folder = tempfile::tempdir().unwrap();
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        let config = FitConfig::new().epochs(2).verbose(0).callback(CsvLogger::new(folder.path().join("log.csv")));
        let config = config.callback(ModelCheckpoint::new(folder.path().join("model.safetensors")));
        model.fit(&data, config).unwrap();
        std::fs::read_dir(folder.path()).unwrap().count()
    });
    assert_eq!(folders, [2, 0]);
}
