//! An epoch of other models on random images with Inkstone, printed as `torch_models.py` prints. Arguments: model
//! batch.

use inkstone::ndarray::Array4;
use inkstone::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, batch] = &arguments[..] else { return Err("arguments: mlp|lenet|vgg batch".into()) };
    let (images, side, channels) = if model == "vgg" { (1000, 32, 3) } else { (10_000, 28, 1) };
    let pixels = Array4::from_shape_fn((images, side, side, channels), |(n, y, x, c)| {
        // The upper bits of a product are as good as random.
        ((n * 3072 + y * 96 + x * 3 + c + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    });
    let data = Dataset::from_bytes(pixels, (0..images).map(|image| image % 10).collect())?;
    let start = Sequential::new([side, side, channels]);
    let conv = |filters| Conv2D::new(filters, (3, 3)).padding(Same).activation(Relu);
    let pool = || MaxPooling2D::new((2, 2));
    let dense = |units| Dense::new(units).activation(Relu);
    let hidden = match model.as_str() {
        "mlp" => start.add(Flatten::new()).add(dense(512)).add(dense(512)),
        "lenet" => start
            .add(Conv2D::new(6, (5, 5)).padding(Same).activation(Relu))
            .add(pool())
            .add(Conv2D::new(16, (5, 5)).activation(Relu))
            .add(pool())
            .add(Flatten::new())
            .add(dense(120))
            .add(dense(84)),
        "vgg" => [32, 64, 128]
            .into_iter()
            .fold(start, |model, filters| model.add(conv(filters)).add(conv(filters)).add(pool()))
            .add(Flatten::new())
            .add(dense(128)),
        _ => return Err(format!("expected mlp, lenet or vgg, got {model}").into()),
    };
    let mut model = hidden.add(Dense::new(10).activation(Softmax)).compile(
        Adam::default(),
        SparseCategoricalCrossentropy::default(),
        [Accuracy],
    )?;
    let history = model.fit(&data, FitConfig::new().epochs(3).batch_size(batch.parse()?).verbose(0))?;
    // The first epoch warms up.
    for epoch in &history.epochs[1..] {
        println!("epoch {:.4}", epoch.seconds);
    }
    Ok(())
}
