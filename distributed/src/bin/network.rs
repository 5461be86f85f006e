//! What a network gives a training: `mpirun -n 2 network` measures the latency of a message and the bytes a second that each rank gets,
//! as `scaling.py` and `mnist_distributed` take them.

use inkstone::Result;
use inkstone::distributed::Communicator;
use std::time::Instant;

/// How often short and long messages are sent.
const SHORT: usize = 2000;
const LONG: usize = 20;
/// The bytes of a long message: as many as the gradients of two million weights.
const BYTES: usize = 8 << 20;

fn main() {
    inkstone_mpi::run(|communicator| {
        let size = communicator.size();
        if size < 2 {
            return Err(inkstone::Error::Distributed(
                "one process has no network: start two or more by `mpirun -n`".into(),
            ));
        }
        let short = seconds(&*communicator, 8, SHORT)?;
        let long = seconds(&*communicator, BYTES, LONG)?;
        if communicator.rank() == 0 {
            let messages = size.next_power_of_two().ilog2();
            let latency = short / f64::from(messages);
            let bandwidth = ((size - 1) * BYTES) as f64 / (long - short).max(1e-9);
            println!("{size} ranks: --microseconds {:.2} --gigabytes {:.2}", latency * 1e6, bandwidth / 1e9);
        }
        Ok(())
    });
}

/// How long a call takes in which each rank gives so many bytes to all: the median of so many.
fn seconds(communicator: &dyn Communicator, bytes: usize, times: usize) -> Result<f64> {
    let mine = vec![communicator.rank() as u8; bytes];
    let (lens, mut all) = (vec![bytes; communicator.size()], vec![0; bytes * communicator.size()]);
    // The first calls make connections.
    for _ in 0..3 {
        communicator.all_gather(&mine, &lens, &mut all)?;
    }
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        communicator.all_gather(&mine, &lens, &mut all)?;
        took.push(start.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    Ok(took[times / 2])
}
