//! How good generated digits are, as a classifier sees them that was trained on real ones.

use crate::arguments::Data;
use inkstone::evaluation::frechet_distance;
use inkstone::ndarray::{Array2, ArrayD, Axis, Ix2};
use inkstone::prelude::*;
use inkstone::{Error, Gan, Result};

/// Images that are generated: as many as there are to test on.
const COUNT: usize = 10_000;
/// Images that are predicted at a time.
const BATCH: usize = 1000;

/// Prints how many conditional samples are read as their label or how often each digit comes, and the distance of
/// samples to test images beside that of training images.
pub(crate) fn measure(gan: &Gan, classifier: &mut Model, data: &Data, conditional: bool) -> Result<()> {
    println!("\nThe classifier that judges:");
    classifier.fit(&data.train, FitConfig::new().epochs(4).batch_size(64).verbose(2))?;
    println!("It is right about {:.2} % of the test images", 100.0 * classifier.evaluate(&data.test)?.accuracy()?);

    let labels: Vec<usize> = if conditional { (0..COUNT).map(|n| n % 10).collect() } else { Vec::new() };
    let images = gan.generate(&gan.latent_vectors(COUNT, 1), &labels)?;
    let mut read = Vec::with_capacity(COUNT);
    for batch in images.axis_chunks_iter(Axis(0), BATCH) {
        read.extend(classifier.predict_classes(batch)?);
    }
    if conditional {
        let right = read.iter().zip(&labels).filter(|(read, label)| read == label).count();
        println!("{:.2} % of the samples are read as their label", 100.0 * right as f64 / COUNT as f64);
    }
    let shares: Vec<f64> =
        (0..10).map(|digit| 100.0 * read.iter().filter(|read| **read == digit).count() as f64 / COUNT as f64).collect();
    println!(
        "Samples read as 0 to 9, in percent: {}",
        shares.iter().map(|share| format!("{share:.1}")).collect::<Vec<_>>().join(", ")
    );

    let real = features(classifier, &data.test.take(COUNT)?.images().into_dyn())?;
    let other = features(classifier, &data.train.shuffle(0).take(COUNT)?.images().into_dyn())?;
    let generated = features(classifier, &images)?;
    let (floor, distance) = (frechet_distance(&other, &real)?, frechet_distance(&generated, &real)?);
    println!(
        "Frechet distance to the test images: {distance:.3}, of training images {floor:.3}: {:.1} times as far{}",
        distance / floor,
        data.remark
    );
    Ok(())
}

/// What the classifier knows images by: (N, 64).
fn features(classifier: &Model, images: &ArrayD<f32>) -> Result<Array2<f32>> {
    let found = classifier.features("features", images)?;
    found.into_dimensionality::<Ix2>().map_err(|error| Error::Data(error.to_string()))
}
