//! The README's network on MNIST, trained by all processes of `mpirun`:
//! `mpirun -n 4 mnist_distributed [--epochs 5] [--batch-size 128] [--images 60000] [--backup folder] [--any-order] [--save model.safetensors]`;
//! `--microseconds 20 --gigabytes 2.5` adds the latency of a message, and the bytes a second, of a network that is slower.
//!
//! Without MNIST it draws digits, and says so. It prints what was exchanged, and a checksum of the weights, which is the same for any
//! number of processes.

use inkstone::Result;
use inkstone::data::synthetic;
use inkstone::distributed::{self, SumOrder};
use inkstone::prelude::*;
use inkstone_mpi::{Communicator, Slowed};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut given = HashMap::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next_if(|value| !value.starts_with("--")).unwrap_or_default();
        given.insert(name, value);
    }
    inkstone_mpi::run(|communicator| train(communicator, &given));
}

fn train(communicator: Arc<Communicator>, given: &HashMap<String, String>) -> Result<()> {
    use distributed::Communicator as _;
    let number = |name: &str, otherwise: usize| given.get(name).map_or(Ok(otherwise), |value| value.parse());
    let number = |name, otherwise| {
        number(name, otherwise)
            .map_err(|_| inkstone::Error::Data(format!("{name} wants a number, got {}", given[name])))
    };
    let (epochs, batch_size, images) =
        (number("--epochs", 5)?, number("--batch-size", 128)?, number("--images", usize::MAX)?);
    let is_first = communicator.rank() == 0;
    let (train, test) = mnist::load_data().or_else(|error| {
        if is_first {
            println!("{error}\n\nThis is NOT MNIST: the program goes on with digits that it draws itself.\n");
        }
        Ok::<_, inkstone::Error>((synthetic::digits(images.min(6000), 1)?, synthetic::digits(1000, 2)?))
    })?;
    let train = train.take(images)?;
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    let order = if given.contains_key("--any-order") { SumOrder::Any } else { SumOrder::Shards };
    model.distribute(slowed(&communicator, given)?, order)?;
    let mut config = FitConfig::new().epochs(epochs).batch_size(batch_size).validation_data(&test);
    if let Some(folder) = given.get("--backup") {
        config = config.backup(BackupAndRestore::new(folder));
    }
    let (start, before) = (Instant::now(), communicator.exchanged());
    model.fit(&train, config)?;
    if is_first {
        let (seconds, after) = (start.elapsed().as_secs_f64(), communicator.exchanged());
        let (sent, calls) = (after.sent - before.sent, after.calls - before.calls);
        let exchange = (after.time - before.time).as_secs_f64();
        println!(
            "{} ranks: {seconds:.2} s, {exchange:.2} s of it in {calls} calls of MPI; rank 0 gave {:.1} MB",
            communicator.size(),
            sent as f64 / 1e6
        );
        println!("Weights: {:016x}", checksum(&model));
        if let Some(path) = given.get("--save") {
            model.save(path)?;
        }
    }
    Ok(())
}

/// The communicator, as slow as the arguments want it.
fn slowed(
    communicator: &Arc<Communicator>,
    given: &HashMap<String, String>,
) -> Result<Arc<dyn distributed::Communicator>> {
    let number = |name: &str, otherwise: f64| match given.get(name).map(|value| value.parse::<f64>()) {
        None => Ok(otherwise),
        Some(Ok(value)) if (0.0..=1e9).contains(&value) => Ok(value),
        Some(_) => Err(inkstone::Error::Data(format!("{name} wants a number from 0 to 1e9, got {}", given[name]))),
    };
    let (microseconds, gigabytes) = (number("--microseconds", 0.0)?, number("--gigabytes", 0.0)?);
    if microseconds == 0.0 && gigabytes == 0.0 {
        return Ok(communicator.clone());
    }
    let bytes_a_second = if gigabytes > 0.0 { gigabytes * 1e9 } else { f64::INFINITY };
    Ok(Arc::new(Slowed::new(communicator.clone(), Duration::from_secs_f64(microseconds / 1e6), bytes_a_second)))
}

/// FNV-1a of all weights.
fn checksum(model: &Model) -> u64 {
    let weights = model.get_weights();
    let bytes = weights.iter().flat_map(|weight| weight.values.iter()).flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
