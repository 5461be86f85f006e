//! Training with a real MPI: the program starts itself by `mpirun`, with another number of ranks each time. It has no harness, as each
//! rank is this program again.

use inkstone::Result;
use inkstone::callbacks::{LambdaCallback, SaveFreq};
use inkstone::data::{Augment, synthetic};
use inkstone::distributed::{Communicator as _, SumOrder};
use inkstone::prelude::*;
use inkstone_mpi::Communicator;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a rank is to do; without it this is the test.
const PROGRAM: &str = "INKSTONE_TEST_PROGRAM";
const FOLDER: &str = "INKSTONE_TEST_FOLDER";

fn main() {
    if let Ok(program) = std::env::var(PROGRAM) {
        return inkstone_mpi::run(|communicator| rank(communicator, &program));
    }
    let start = Instant::now();
    let expected = weights(&mpirun(1, "train", None));
    for ranks in [2, 3, 4] {
        assert_eq!(weights(&mpirun(ranks, "train", None)), expected, "{ranks} ranks");
    }
    println!("1, 2, 3 and 4 ranks give the same bits ... ok");
    assert_eq!(weights(&mpirun(3, "slow", None)), expected);
    println!("a slow rank is waited for ... ok");
    weights(&mpirun(4, "any order", None));
    println!("MPI adds in its own order ... ok");

    let folder = tempfile::tempdir().unwrap();
    let killed = Instant::now();
    let output = mpirun(3, "killed", Some(folder.path()));
    assert!(!output.status.success(), "{output:?}");
    assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", killed.elapsed());
    assert!(std::fs::read_dir(folder.path()).unwrap().count() >= 2, "a checkpoint and the lock");
    assert_eq!(weights(&mpirun(2, "train", Some(folder.path()))), expected);
    println!("a rank that is killed ends all, and two others resume ... ok");

    for (program, said) in [
        ("fails", "rank 0: rank 1 of 3 failed: the disk is full"),
        ("panics", "the rank has a fault"),
        ("other data", "rank 0: rank 2 has the number of examples 299, rank 0 has 300: start all ranks with the same"),
        ("other model", "rank 0: rank 2 has the seed 8, rank 0 has 7: start all ranks with the same"),
    ] {
        let output = mpirun(3, program, None);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(said), "{program}: {errors}");
    }
    println!("a rank that fails, or is another, ends all, and they say why ... ok");
    println!("{:.1} s", start.elapsed().as_secs_f64());
}

/// Runs this program on so many ranks.
fn mpirun(ranks: usize, program: &str, folder: Option<&Path>) -> Output {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "-n", &ranks.to_string()]).arg(std::env::current_exe().unwrap());
    // Containers run as root, and have fewer cores than there are ranks.
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.env("OMPI_MCA_mpi_yield_when_idle", "1").env("RAYON_NUM_THREADS", "1").env(PROGRAM, program);
    folder.map(|folder| command.env(FOLDER, folder));
    command.output().expect("mpirun starts: Debian's openmpi-bin has it")
}

/// The checksum that every rank has printed.
fn weights(output: &Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<&str> = printed.lines().filter(|line| line.starts_with("weights")).collect();
    found.dedup();
    assert!(output.status.success() && found.len() == 1, "{output:?}");
    found[0].to_owned()
}

/// What one rank does.
fn rank(communicator: Arc<Communicator>, program: &str) -> Result<()> {
    let rank = communicator.rank();
    let is = |name: &str, of: usize| program == name && rank == of;
    let data = synthetic::digits(if is("other data", 2) { 299 } else { 300 }, 3)?;
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)))
        .add(BatchNormalization::new())
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(if is("other model", 2) { 8 } else { 7 })
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    let order = if program == "any order" { SumOrder::Any } else { SumOrder::Shards };
    model.distribute(communicator, order)?;
    let (killed, panics, fails, slow) = (is("killed", 1), is("panics", 1), is("fails", 1), is("slow", 1));
    let callback = LambdaCallback::new().on_train_batch_begin(move |batch, training| {
        let is_then = training.model().epochs() == 1 && batch == 1;
        match is_then {
            true if killed => std::process::abort(),
            true if panics => panic!("the rank has a fault"),
            true if fails => Err(inkstone::Error::Callback("the disk is full".into())),
            true | false => Ok(()),
        }
    });
    let callback = callback.on_train_batch_end(move |_, _, _| {
        if slow {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    let mut config = FitConfig::new().epochs(2).batch_size(120).validation_split(0.2).augment(Augment::default());
    if program != "other data" {
        config = config.callback(callback);
    } else {
        config = config.validation_split(0.0);
    }
    if let Ok(folder) = std::env::var(FOLDER) {
        config = config.backup(BackupAndRestore::new(folder).save_freq(SaveFreq::Batches(1)));
    }
    model.fit(&data, config.verbose(0))?;
    let weights = model.get_weights();
    let bytes = weights.iter().flat_map(|weight| weight.values.iter()).flat_map(|value| value.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    println!("weights {hash:016x}");
    Ok(())
}
