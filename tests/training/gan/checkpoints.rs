//! Checkpoints of both models, resumed to the bit, and files that are none.

use super::{bits, conditional, data};
use inkstone::prelude::*;
use inkstone::{Gan, GanConfig, GanLoss, Interrupt};
use std::fs;
use std::ops::ControlFlow;

fn gan() -> Gan {
    let optimizer = Adam::new(0.002).use_ema(true).ema_momentum(0.9);
    conditional(optimizer, GanLoss::NonSaturating).label_smoothing(0.1).instance_noise(0.1, 3).discriminator_steps(2)
}

fn config<'a>(epochs: usize) -> GanConfig<'a> {
    GanConfig::new().epochs(epochs).batch_size(16).verbose(0)
}

#[test]
fn a_training_that_is_resumed_gives_the_bits_of_one_that_was_not_interrupted() {
    let path = tempfile::tempdir().unwrap().keep().join("gan.safetensors");
    let mut whole = gan();
    let expected = whole.fit(&data(70), config(4)).unwrap();

    // Stopped behind each epoch, as a crash would.
    for stop in 1..4 {
        let stopping = config(4).checkpoint(&path).on_epoch_end(move |epoch, _| {
            Ok(if epoch.epoch + 1 == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        gan().fit(&data(70), stopping).unwrap();
        let mut resumed = Gan::resume(&path).unwrap();
        assert_eq!(resumed.epochs(), stop);
        let rest = resumed.fit(&data(70), config(4)).unwrap();
        assert!(bits(&resumed) == bits(&whole), "resumed behind epoch {stop}");
        assert_eq!(rest.generator_losses(), expected.generator_losses()[stop..]);
    }
}

/// The checkpoint of a complete training has the weights behind its last step; `fit` makes their average of them, even
/// if there is nothing left to train.
#[test]
fn a_complete_training_that_is_resumed_has_averaged_weights() {
    let path = tempfile::tempdir().unwrap().keep().join("gan.safetensors");
    let mut whole = gan();
    whole.fit(&data(70), config(2).checkpoint(&path)).unwrap();
    let mut resumed = Gan::resume(&path).unwrap();
    assert!(bits(&resumed) != bits(&whole), "the average differs from the weights");
    assert!(resumed.fit(&data(70), config(2)).unwrap().epochs.is_empty());
    assert!(bits(&resumed) == bits(&whole));
    // Weights that are set later stay.
    let zeros = resumed.generator().get_weights().into_iter().map(|mut weight| {
        weight.values.fill(0.0);
        weight
    });
    let zeros: Vec<_> = zeros.collect();
    resumed.generator_mut().set_weights(&zeros).unwrap();
    resumed.fit(&data(70), config(2)).unwrap();
    assert_eq!(resumed.generator().get_weights(), zeros);
}

/// A training that is interrupted behind a batch of an epoch, resumed from its checkpoint.
fn interrupted(epoch: usize, batch: usize) -> Gan {
    let path = tempfile::tempdir().unwrap().keep().join("gan.safetensors");
    let interrupt = Interrupt::new();
    let pressed = interrupt.clone();
    let config = config(4).checkpoint(&path).interrupt(&interrupt).on_batch_end(move |number, _, gan| {
        if (gan.epochs(), number) == (epoch, batch) {
            pressed.interrupt();
        }
        Ok(())
    });
    assert_eq!(gan().fit(&data(70), config).unwrap().epochs.len(), epoch);
    Gan::resume(&path).unwrap()
}

#[test]
fn an_interrupted_epoch_goes_on_with_its_next_batch() {
    let mut whole = gan();
    let expected = whole.fit(&data(70), config(4)).unwrap();
    for (epoch, batch) in [(0, 0), (1, 2), (2, 3)] {
        let mut resumed = interrupted(epoch, batch);
        let history = resumed.fit(&data(70), config(4)).unwrap();
        assert_eq!(history.discriminator_losses(), expected.discriminator_losses()[epoch..]);
        assert_eq!(history.epochs[0].real_accuracy, expected.epochs[epoch].real_accuracy);
        assert!(bits(&resumed) == bits(&whole), "behind batch {batch} of epoch {epoch}");
    }
}

#[test]
fn other_batches_than_those_of_an_interrupted_epoch_are_refused() {
    let mut resumed = interrupted(1, 2);
    assert_eq!(
        resumed.fit(&data(80), config(2)).unwrap_err().to_string(),
        "the models were resumed in the middle of an epoch of 70 examples, got 80: give `fit` the same data"
    );
    assert_eq!(
        resumed.fit(&data(70), config(2).batch_size(8)).unwrap_err().to_string(),
        "batch_size must be that of the checkpoint, which was written in the middle of an epoch, got 8 instead of 16"
    );
}

#[test]
fn files_that_hold_no_gan_or_a_damaged_one_are_told_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gan.safetensors");
    let trained = gan();
    trained.save_checkpoint(&path).unwrap();
    assert!(bits(&Gan::resume(&path).unwrap()) == bits(&trained));
    let said = Model::load(&path).unwrap_err().to_string();
    assert!(said.ends_with("expected a model, found the two of a GAN: `Gan::resume` takes them"), "{said}");

    let model = folder.path().join("model.safetensors");
    trained.generator().save_checkpoint(&model).unwrap();
    let said = Gan::resume(&model).unwrap_err().to_string();
    assert!(
        said.ends_with("expected the checkpoint of a GAN, as `Gan::save_checkpoint` writes it, found something else"),
        "{said}"
    );

    let bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let found = String::from_utf8_lossy(&bytes[..header]).into_owned();
    let at = found.find("label_smoothing").unwrap() + "label_smoothing".len() + 5;
    for place in [at, header + 100, header + 5000, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert!(matches!(Gan::resume(&path), Err(inkstone::Error::ModelFile { .. })), "byte {place}");
    }
    for len in [0, 7, header - 1, header, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(matches!(Gan::resume(&path), Err(inkstone::Error::ModelFile { .. })), "{len} bytes");
    }
}
