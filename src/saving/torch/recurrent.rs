//! The tensors of PyTorch's recurrent modules.

use super::modules::Weights;
use super::tensor::{Share, Tensor, View};
use crate::layers::Layer;
use std::sync::Arc;

/// What differs between the recurrent layers.
struct Kind {
    /// PyTorch's order of the gates, by ours.
    gates: &'static [usize],
    bias: Bias,
}

/// What PyTorch's two biases are here.
#[derive(Clone, Copy)]
enum Bias {
    /// Their sum is our bias.
    Sum,
    /// They are the two rows of it.
    Rows,
}

/// `None` if PyTorch has no such layer: a GRU that resets the state before the product with the recurrent kernel.
fn kind(layer: &Layer) -> Option<Kind> {
    match layer {
        Layer::SimpleRNN(_) => Some(Kind { gates: &[0], bias: Bias::Sum }),
        Layer::LSTM(_) => Some(Kind { gates: &[0, 1, 2, 3], bias: Bias::Sum }),
        // Ours are update, reset, candidate; PyTorch's reset, update, new.
        Layer::GRU(layer) => layer.reset_after.then_some(Kind { gates: &[1, 0, 2], bias: Bias::Rows }),
        _ => None,
    }
}

/// The tensors of a recurrent layer, or of both directions of one.
pub(super) fn tensors(layer: &Layer, weights: Weights<'_>) -> Option<Vec<Tensor>> {
    match layer {
        Layer::Bidirectional(both) => {
            let kind = kind(&both.layer)?;
            let [forward, backward] = weights.split_at(weights.len() / 2);
            Some([one_way(&kind, forward, ""), one_way(&kind, backward, "_reverse")].concat())
        }
        one => Some(one_way(&kind(one)?, weights, "")),
    }
}

fn one_way(kind: &Kind, weights: Weights<'_>, direction: &str) -> Vec<Tensor> {
    let width = weights.shape(0)[1];
    let units = width / kind.gates.len();
    let is_same = kind.gates.iter().copied().eq(0..kind.gates.len());
    let places: Option<Arc<[usize]>> = (!is_same).then(|| {
        let of_gate = |gate: &usize| gate * units..(gate + 1) * units;
        kind.gates.iter().flat_map(of_gate).collect()
    });
    let kernel = |name: &str, place| {
        let shape = vec![width, weights.shape(place)[0]];
        let view = View::new([1, 0]).places(0, places.clone());
        weights.tensor(&format!("{name}_l0{direction}"), place, shape, view)
    };
    let mut tensors = vec![kernel("weight_ih", 0), kernel("weight_hh", 1)];
    if weights.len() > 2 {
        let shares = match kind.bias {
            Bias::Sum => [Share::First, Share::Second],
            Bias::Rows => [Share::Row(0), Share::Row(1)],
        };
        for (name, share) in ["bias_ih", "bias_hh"].into_iter().zip(shares) {
            let view = View::new([0]).places(0, places.clone()).share(share);
            tensors.push(weights.tensor(&format!("{name}_l0{direction}"), 2, vec![width], view));
        }
    }
    tensors
}
