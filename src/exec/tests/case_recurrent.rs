//! What the table of cases draws of recurrent layers and of those around other layers.

use super::draws::{function, width};
use super::{Kind, Random};
use inkstone::layers::{ActivationFunction, Layer};
use inkstone::prelude::*;
use rand::RngExt;
use rand::seq::IndexedRandom;

/// What recurrent layers have in common.
struct Recurrent {
    units: usize,
    activation: ActivationFunction,
    recurrent_activation: ActivationFunction,
    dropouts: [f32; 2],
}

fn recurrent(random: &mut Random) -> Recurrent {
    let functions = |random: &mut Random, usual: ActivationFunction| {
        let rare = *[Tanh, Sigmoid, Softsign, HardSigmoid, Relu, Linear].choose(random).expect("there are some");
        if random.random_bool(0.7) { usual } else { rare }
    };
    let mut rates = || if random.random_bool(0.7) { 0.0 } else { 0.25 };
    let dropouts = [rates(), rates()];
    Recurrent {
        units: *[1, 2, 3, 4, 5, 6, 16, 17].choose(random).expect("there are some"),
        activation: functions(random, Tanh),
        recurrent_activation: functions(random, Sigmoid),
        dropouts,
    }
}

/// A layer of this kind, if inputs of so many axes are sequences.
pub(super) fn layer(kind: Kind, random: &mut Random, axes: usize) -> Option<Layer> {
    if axes != 2 {
        return None;
    }
    Some(match kind {
        Kind::SimpleRNN => {
            let drawn = recurrent(random);
            let rnn = SimpleRNN::new(drawn.units).activation(drawn.activation).use_bias(random.random());
            let rnn = rnn.return_sequences(random.random()).go_backwards(random.random());
            rnn.dropout(drawn.dropouts[0]).recurrent_dropout(drawn.dropouts[1]).into()
        }
        Kind::LSTM => {
            let drawn = recurrent(random);
            let rnn = LSTM::new(drawn.units).activation(drawn.activation).use_bias(random.random());
            let rnn = rnn.recurrent_activation(drawn.recurrent_activation);
            let rnn = rnn.return_sequences(random.random()).go_backwards(random.random());
            rnn.dropout(drawn.dropouts[0]).recurrent_dropout(drawn.dropouts[1]).into()
        }
        Kind::GRU => {
            let drawn = recurrent(random);
            let rnn = GRU::new(drawn.units).activation(drawn.activation).use_bias(random.random());
            let rnn = rnn.recurrent_activation(drawn.recurrent_activation).reset_after(random.random());
            let rnn = rnn.return_sequences(random.random()).go_backwards(random.random());
            rnn.dropout(drawn.dropouts[0]).recurrent_dropout(drawn.dropouts[1]).into()
        }
        Kind::Bidirectional => {
            let units = *[1, 3, 5, 16].choose(random)?;
            let (dropout, is_sequence) = (*[0.0, 0.0, 0.25].choose(random)?, random.random());
            let layer: Layer = match random.random_range(0..3) {
                0 => SimpleRNN::new(units).return_sequences(is_sequence).recurrent_dropout(dropout).into(),
                1 => LSTM::new(units).return_sequences(is_sequence).dropout(dropout).into(),
                _ => GRU::new(units).return_sequences(is_sequence).recurrent_dropout(dropout).into(),
            };
            let modes = [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave];
            Bidirectional::new(layer).merge_mode(*modes.choose(random)?).into()
        }
        Kind::TimeDistributed => {
            let layer: Layer = match random.random_range(0..3) {
                0 => Activation::new(function(random)).into(),
                1 => Dropout::new(0.25).into(),
                _ => Dense::new(width(random)).activation(function(random)).into(),
            };
            TimeDistributed::new(layer).into()
        }
        _ => return None,
    })
}
