//! A rank that fails, or is about to do something else than the others, ends the training of all with an error that names it.

use super::threads::{OfThreads, on_ranks};
use super::{compiled, images, small};
use inkstone::callbacks::LambdaCallback;
use inkstone::distributed::{Communicator, SumOrder};
use inkstone::prelude::*;
use inkstone::{Error, Result};
use std::sync::Arc;

/// What each of three ranks says.
fn errors(program: impl Fn(usize, Arc<OfThreads>) -> Result<()> + Sync) -> Vec<String> {
    let said = on_ranks(3, 1, |communicator| program(communicator.rank(), communicator));
    said.into_iter().map(|said| said.unwrap_err().to_string()).collect()
}

fn joined(communicator: Arc<OfThreads>) -> Result<Model> {
    let mut model = small();
    model.distribute(communicator, SumOrder::Shards)?;
    Ok(model)
}

#[test]
fn a_rank_whose_callback_fails_ends_all() {
    let data = images(60, 6);
    for at_end in [false, true] {
        let said = errors(|rank, communicator| {
            let mut model = joined(communicator)?;
            let fail = move |fails: bool| match (fails, rank) {
                (true, 1) => Err(Error::Callback("the disk is full".into())),
                _ => Ok(()),
            };
            let fails = LambdaCallback::new().on_train_batch_begin(move |batch, _| fail(!at_end && batch == 2));
            let fails = fails.on_epoch_end(move |epoch, _, _| fail(at_end && epoch == 1));
            model.fit(&data, FitConfig::new().epochs(2).batch_size(16).callback(fails).verbose(0))?;
            Ok(())
        });
        let others = "rank 1 of 3 failed: the disk is full";
        assert_eq!(said, [others, "the disk is full", others]);
    }
}

#[test]
fn what_has_ended_is_not_begun_again() {
    let data = images(60, 6);
    let said = errors(|rank, communicator| {
        let mut model = joined(communicator)?;
        let bad = if rank == 2 { vec![9; 60] } else { data.labels().to_vec() };
        assert!(model.train_on_batch(&data, &bad).is_err());
        model.train_on_batch(&data, data.labels()).map(drop)
    });
    assert_eq!(said[0], format!("the ranks no longer work together: {}", said[0].split_once(": ").unwrap().1));
    assert!(said[0].contains("rank 2 of 3 failed: "), "{said:?}");
}

#[test]
fn what_fails_on_all_ranks_may_be_tried_again() {
    let data = images(60, 6);
    on_ranks(3, 1, |communicator| {
        let mut model = joined(communicator).unwrap();
        let error = model.train_on_batch(&data, &vec![9; 60]).unwrap_err();
        assert!(!matches!(error, Error::Distributed(_)), "{error}");
        model.train_on_batch(&data, data.labels()).unwrap();
    });
}

#[test]
fn other_models_data_and_settings_are_refused_by_name() {
    let data = images(60, 6);
    let said = errors(|rank, communicator| {
        let units = if rank == 2 { 13 } else { 12 };
        let network = Sequential::new([6, 6, 1]).add(Flatten::new()).add(Dense::new(units).activation(Softmax));
        compiled(network, Adam::new(0.01)).distribute(communicator, SumOrder::Shards)
    });
    assert!(said[0].starts_with("rank 2 has the layers "), "{said:?}");
    assert!(said[0].ends_with(": start all ranks with the same program, model and data"), "{said:?}");
    assert!(said.iter().all(|text| *text == said[0]), "{said:?}");

    let said =
        errors(|rank, communicator| small().distribute(communicator, [SumOrder::Shards, SumOrder::Any][rank % 2]));
    let expected =
        "rank 1 has the order of sums Any, rank 0 has Shards: start all ranks with the same program, model and data";
    assert_eq!(said, [expected; 3]);

    let said = errors(|rank, communicator| {
        let examples = data.take(60 - rank / 2)?;
        joined(communicator)?.fit(&examples, FitConfig::new().verbose(0)).map(drop)
    });
    let expected =
        "rank 2 has the number of examples 59, rank 0 has 60: start all ranks with the same program, model and data";
    assert_eq!(said, [expected; 3]);

    let said = errors(|rank, communicator| {
        joined(communicator)?.fit(&data, FitConfig::new().batch_size(16 + rank).verbose(0)).map(drop)
    });
    let expected = "rank 1 has the batch size 17, rank 0 has 16: start all ranks with the same program, model and data";
    assert_eq!(said, [expected; 3]);

    let said = errors(|rank, communicator| {
        let mut model = joined(communicator)?;
        if rank == 1 {
            let mut weights = model.get_weights();
            weights[0].values[[0, 0]] += 1.0;
            model.set_weights(&weights)?;
        }
        model.fit(&data, FitConfig::new().verbose(0)).map(drop)
    });
    assert!(said.iter().all(|said| said.starts_with("rank 1 has the weights' checksum ")), "{said:?}");
}

#[test]
fn data_of_the_same_size_that_differ_are_refused() {
    let data = images(60, 6);
    let other = |rank: usize, of: usize| {
        let mut labels = data.labels().to_vec();
        labels[59] = if rank == of { (labels[59] + 1) % 3 } else { labels[59] };
        labels
    };
    let pixels = |rank: usize| data.images().mapv(|pixel| if rank == 2 && pixel == 0.0 { 0.5 } else { pixel });
    let fit = |rank, communicator, config: FitConfig<'_>| {
        joined(communicator)?.fit((&pixels(rank), &other(rank, 9)), config.verbose(0)).map(drop)
    };
    let said = errors(|rank, communicator| fit(rank, communicator, FitConfig::new()));
    assert!(said[0].starts_with("rank 2 has the checksum of the stored examples "), "{said:?}");
    assert!(said.iter().all(|text| *text == said[0]), "{said:?}");

    let said = errors(|rank, communicator| {
        joined(communicator)?.fit((&data, &other(rank, 1)), FitConfig::new().verbose(0)).map(drop)
    });
    assert!(said[0].starts_with("rank 1 has the checksum of the stored examples "), "{said:?}");

    let said = errors(|rank, communicator| {
        let mut weights = vec![1.0; 60];
        weights[3] += rank as f32;
        joined(communicator)?.fit(&data, FitConfig::new().sample_weight(&weights).verbose(0)).map(drop)
    });
    assert!(said[0].starts_with("rank 1 has the checksum of the stored examples "), "{said:?}");

    let said = errors(|rank, communicator| {
        let labels = other(rank, 1);
        let config = FitConfig::new().validation_data((&data, &labels)).verbose(0);
        joined(communicator)?.fit(&data, config).map(drop)
    });
    assert!(said[0].starts_with("rank 1 has the checksum of the stored validation examples "), "{said:?}");
}

/// A rank that says something else of itself than it is: another first letter behind some words.
#[derive(Debug)]
struct Pretends {
    communicator: Arc<OfThreads>,
    behind: &'static str,
}

impl Communicator for Pretends {
    fn rank(&self) -> usize {
        self.communicator.rank()
    }

    fn size(&self) -> usize {
        self.communicator.size()
    }

    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> Result<()> {
        let mut said = mine.to_vec();
        let words = self.behind.as_bytes();
        if let Some(at) = mine.windows(words.len()).position(|part| part == words) {
            said[at + words.len()] = b'X';
        }
        self.communicator.all_gather(&said, lens, all)
    }

    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> Result<()> {
        self.communicator.all_to_all(mine, to, from, all)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        self.communicator.broadcast(root, bytes)
    }

    fn all_reduce(&self, sums: &mut [f32]) -> Result<()> {
        self.communicator.all_reduce(sums)
    }
}

#[test]
fn other_versions_and_instruction_sets_are_refused_by_name() {
    for (behind, expected) in [
        ("the version\u{1f}", "rank 2 has the version X"),
        ("the instruction set\u{1f}", "rank 2 has the instruction set X"),
    ] {
        let said = errors(|rank, communicator| match rank {
            2 => small().distribute(Arc::new(Pretends { communicator, behind }), SumOrder::Shards),
            _ => small().distribute(communicator, SumOrder::Shards),
        });
        assert!(said.iter().all(|said| said.starts_with(expected)), "{said:?}");
    }
}

#[cfg(feature = "privacy")]
#[test]
fn private_training_is_refused() {
    let data = images(60, 6);
    let said = errors(|_, communicator| {
        let config = FitConfig::new().differential_privacy(inkstone::privacy::DpSgd::new(1.0, 1.0)).verbose(0);
        joined(communicator)?.fit(&data, config).map(drop)
    });
    let expected = "the model is one of several ranks, which cannot train privately: leave `differential_privacy` out, or do not call \
                    `distribute`";
    assert_eq!(said, [expected; 3]);
}

#[test]
fn ranks_that_call_different_things_are_found_out() {
    let data = images(60, 6);
    let said = errors(|rank, communicator| {
        let mut model = joined(communicator)?;
        if rank == 0 {
            return model.fit(&data, FitConfig::new().verbose(0)).map(drop);
        }
        model.train_on_batch(&data, data.labels()).map(drop)
    });
    let expected = "rank 0 begins a `fit` (0, 0) while rank 1 computes the gradients of a batch (0, 60): all ranks must make the same \
                    calls with as many examples";
    assert_eq!(said[0], expected);
    assert!(said[1].starts_with("rank 1 computes the gradients"), "{said:?}");
}

#[test]
fn a_rank_that_is_gone_ends_all() {
    let data = images(60, 6);
    let ended = std::panic::catch_unwind(|| {
        on_ranks(3, 1, |communicator| {
            let rank = communicator.rank();
            let mut model = joined(communicator).unwrap();
            let dies = LambdaCallback::new().on_train_batch_begin(move |batch, _| {
                assert!((rank, batch) != (1, 2), "killed");
                Ok(())
            });
            let said = model.fit(&data, FitConfig::new().batch_size(16).callback(dies).verbose(0)).unwrap_err();
            assert_eq!(said.to_string(), "rank 1 has gone");
        });
    });
    assert!(ended.is_err());
}

#[test]
fn stateful_layers_are_refused() {
    let said = errors(|_, communicator| {
        let network = Sequential::new([4, 2]).add(LSTM::new(3).stateful(true)).add(Dense::new(3).activation(Softmax));
        compiled(network, Adam::new(0.01)).distribute(communicator, SumOrder::Shards)
    });
    let expected = "the model is stateful, which `distribute` does not carry from rank to rank: train it in one process, or leave \
                    `stateful` out";
    assert_eq!(said, [expected; 3]);
}
