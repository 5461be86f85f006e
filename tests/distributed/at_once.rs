//! The gradients of the last layers travel while those of the first are computed.

use super::threads::{OfThreads, on_plain_ranks, on_ranks};
use inkstone::Shape;
use inkstone::custom::{CustomLayer, LayerBackward, LayerForward, LayerWeight};
use inkstone::distributed::{Communicator, SumOrder};
use inkstone::prelude::*;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often gradients have been put under way, by any rank.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Adds weights to its inputs. Its backward pass goes on when gradients of other layers are under way.
#[derive(Debug, Serialize, Deserialize)]
struct WaitsForOthers;

impl CustomLayer for WaitsForOthers {
    const NAME: &'static str = "WaitsForOthers";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        vec![LayerWeight::constant("offsets", [input.as_image().2], 0.0)]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        let offsets = &pass.weights[0];
        for (x, y) in pass.input.chunks_exact(offsets.len()).zip(pass.output.chunks_exact_mut(offsets.len())) {
            y.iter_mut().zip(x.iter().zip(offsets)).for_each(|(y, (x, offset))| *y = x + offset);
        }
    }

    fn backward(&self, mut pass: LayerBackward<'_>) {
        let start = Instant::now();
        while UNDER_WAY.load(Ordering::SeqCst) == 0 {
            assert!(start.elapsed() < Duration::from_secs(30), "no gradient is under way");
            std::thread::yield_now();
        }
        for dy in pass.d_output.chunks_exact(pass.weights[0].len()) {
            pass.d_weights[0].iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
        }
    }
}

/// Sees when gradients are put under way.
#[derive(Debug)]
struct Watched(Arc<OfThreads>);

impl Watched {
    fn see(&self, bytes: usize) {
        // Headers and scores are shorter.
        if bytes > 10_000 {
            UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Communicator for Watched {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> inkstone::Result<()> {
        self.see(mine.len());
        self.0.all_gather(mine, lens, all)
    }

    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> inkstone::Result<()> {
        self.see(mine.len());
        self.0.all_to_all(mine, to, from, all)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> inkstone::Result<()> {
        self.0.broadcast(root, bytes)
    }

    fn all_reduce(&self, sums: &mut [f32]) -> inkstone::Result<()> {
        self.see(size_of_val(sums));
        self.0.all_reduce(sums)
    }
}

fn model() -> Model {
    let dense = |units| Dense::new(units).activation(Relu);
    let network = Sequential::new([16]).add(WaitsForOthers).add(dense(256)).add(dense(256)).add(dense(256));
    super::compiled(network.add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
}

/// The first layer's backward pass waits for gradients of others to be under way: it would wait for ever if they were sent
/// behind it.
#[test]
fn gradients_of_the_last_layers_travel_while_those_of_the_first_are_computed() {
    let inputs = Array2::from_shape_fn((128, 16), |(n, feature)| ((n * 7 + feature * 13) % 49) as f32 / 49.0);
    let data = Dataset::from_table(inputs, (0..128).map(|n| n % 3).collect()).unwrap();
    let config = || FitConfig::new().batch_size(128).verbose(0);
    let orders = [SumOrder::Shards, SumOrder::Any];
    for (order, of_a_pool) in orders.into_iter().flat_map(|order| [(order, false), (order, true)]) {
        let train = |communicator| {
            let mut model = model();
            model.distribute(Arc::new(Watched(communicator)), order).unwrap();
            UNDER_WAY.store(0, Ordering::SeqCst);
            model.fit(&data, config()).unwrap();
            model.get_weights()
        };
        let weights = if of_a_pool { on_ranks(2, 2, train) } else { on_plain_ranks(2, train) };
        assert_eq!(weights[0], weights[1]);
        if order == SumOrder::Shards {
            UNDER_WAY.store(1, Ordering::SeqCst);
            let mut alone = model();
            alone.fit(&data, config()).unwrap();
            assert_eq!(weights[0], alone.get_weights());
        }
    }
}
