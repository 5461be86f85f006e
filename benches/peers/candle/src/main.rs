//! The Keras example's CNN on MNIST with Candle, printed as the other peers print. Arguments: folder epochs batch.

use candle_core::{DType, Device::Cpu, Result, Tensor};
use candle_nn::{Activation::Relu, AdamW, Module, Optimizer, ParamsAdamW, Sequential, VarBuilder, VarMap};
use candle_nn::{conv2d, linear, loss::cross_entropy, seq};
use std::{fs::File, io::Read, path::Path, time::Instant};

/// The bytes behind the header of a gzipped IDX file.
fn idx(folder: &str, name: &str, header: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(Path::new(folder).join(name))?).read_to_end(&mut bytes)?;
    Ok(bytes.split_off(header))
}

/// Images (N, 1, 28, 28) of 0 to 1, and labels (N).
fn load(folder: &str, part: &str) -> Result<(Tensor, Tensor)> {
    let pixels = idx(folder, &format!("{part}-images-idx3-ubyte.gz"), 16)?;
    let labels = idx(folder, &format!("{part}-labels-idx1-ubyte.gz"), 8)?;
    let images = Tensor::from_vec(pixels, (labels.len(), 1, 28, 28), &Cpu)?.to_dtype(DType::F32)?;
    Ok(((images / 255.0)?, Tensor::new(labels, &Cpu)?.to_dtype(DType::U32)?))
}

/// From images (N, 1, 28, 28) to logits (N, 10).
fn network(variables: VarBuilder) -> Result<Sequential> {
    // Through this pooling Candle 0.11 passes back a quarter of the gradient, which Adam's steps, free of scale, allow;
    // of an odd size it also loses the gradient of most windows, so the row and column that no window reaches are cut
    // off first.
    let pool = |x: &Tensor| x.narrow(2, 0, x.dim(2)? / 2 * 2)?.narrow(3, 0, x.dim(3)? / 2 * 2)?.max_pool2d(2);
    let valid = Default::default();
    Ok(seq()
        .add(conv2d(1, 32, 3, valid, variables.pp("conv1"))?)
        .add(Relu)
        .add_fn(pool)
        .add(conv2d(32, 64, 3, valid, variables.pp("conv2"))?)
        .add(Relu)
        .add_fn(pool)
        .add(conv2d(64, 64, 3, valid, variables.pp("conv3"))?)
        .add(Relu)
        .add_fn(|x| x.flatten_from(1))
        .add(linear(576, 64, variables.pp("dense1"))?)
        .add(Relu)
        .add(linear(64, 10, variables.pp("dense2"))?))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, epochs, batch] = &arguments[..] else { return Err("arguments: folder epochs batch".into()) };
    let batch: usize = batch.parse()?;
    let ((x, y), (xt, yt)) = (load(folder, "train")?, load(folder, "t10k")?);
    let (count, test_count) = (y.dim(0)?, yt.dim(0)?);
    let variables = VarMap::new();
    let model = network(VarBuilder::from_varmap(&variables, DType::F32, &Cpu))?;
    // Without decay AdamW is Adam, which Candle lacks; the epsilon is Keras'.
    let settings = ParamsAdamW { lr: 1e-3, eps: 1e-7, weight_decay: 0.0, ..Default::default() };
    let mut adam = AdamW::new(variables.all_vars(), settings)?;
    for epoch in 1..=epochs.parse()? {
        let start = Instant::now();
        let order = Tensor::rand(0f32, 1f32, count, &Cpu)?.arg_sort_last_dim(true)?;
        for i in (0..count).step_by(batch) {
            let chosen = order.narrow(0, i, batch.min(count - i))?;
            let logits = model.forward(&x.index_select(&chosen, 0)?)?;
            adam.backward_step(&cross_entropy(&logits, &y.index_select(&chosen, 0)?)?)?;
        }
        println!("epoch {epoch} {:.3}", start.elapsed().as_secs_f64());
        let (start, mut right) = (Instant::now(), 0.0);
        for i in (0..test_count).step_by(1000) {
            let length = 1000.min(test_count - i);
            let guesses = model.forward(&xt.narrow(0, i, length)?)?.argmax(1)?;
            right += guesses.eq(&yt.narrow(0, i, length)?)?.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?;
        }
        println!("test {:.3} accuracy {:.4}", start.elapsed().as_secs_f64(), right / test_count as f32);
    }
    Ok(())
}
