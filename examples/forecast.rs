//! A forecast of a series by its past: an LSTM reads a window of measurements and says the next ones.
//!
//! `cargo run --release --example forecast` takes a made sine with noise, and says so; `-- --csv sunspots.csv --column
//! SUNACTIVITY` a file. `cargo run --release --features plot --example forecast -- --report forecast.svg` draws the
//! forecast over the truth.

use clap::Parser;
use inkstone::data::timeseries_dataset;
use inkstone::ndarray::{Array2, Axis, Slice};
use inkstone::prelude::*;
use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Forecasts a series.
#[derive(Parser)]
struct Arguments {
    /// A file with a column of measurements in the order of time [default: a made sine]
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// The column's name [default: the last]
    #[arg(long)]
    column: Option<String>,
    /// How many measurements it sees
    #[arg(long, default_value_t = 24)]
    window: usize,
    /// How many it forecasts
    #[arg(long, default_value_t = 4)]
    horizon: usize,
    /// Units of the LSTM
    #[arg(long, default_value_t = 32)]
    units: usize,
    /// The most epochs of training
    #[arg(long, default_value_t = 200)]
    epochs: usize,
    /// Repeats a run to the bit
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draws the forecast over the truth; needs `--features plot` before the `--` of cargo run
    #[arg(long, value_name = "FILE.svg")]
    report: Option<PathBuf>,
}

/// The last forecast of each window, beside what came.
#[cfg_attr(not(feature = "plot"), expect(dead_code, reason = "only a drawing has both"))]
struct Compared {
    truth: Vec<f32>,
    forecast: Vec<f32>,
}

fn main() -> Result<()> {
    let Arguments { csv, column, window, horizon, units, epochs, seed, report } = Arguments::parse();
    if report.is_some() && cfg!(not(feature = "plot")) {
        return Err("--report needs the feature plot: cargo run --release --features plot --example forecast".into());
    }
    let series = match &csv {
        Some(path) => read(path, column.as_deref())?,
        None => {
            println!("This series is NOT measured: without --csv the program makes a sine with noise.\n");
            (0..800).map(made).collect()
        }
    };
    // In the order of time: three fifths to learn from, one that tells when to stop, one to test on. What a series is
    // scaled by is known from the first part alone.
    let [seen, tested] = [3, 4].map(|fifths| series.len() * fifths / 5);
    let mean = series[..seen].iter().sum::<f32>() / seen as f32;
    let variance = series[..seen].iter().map(|value| (value - mean).powi(2)).sum::<f32>() / seen as f32;
    let deviation = variance.sqrt();
    let scaled = Array2::from_shape_fn((series.len(), 1), |(step, _)| (series[step] - mean) / deviation);
    // A part's first forecast reads what came before it.
    let part = |steps: Range<usize>| {
        let steps = Slice::from(steps.start.saturating_sub(window)..steps.end);
        timeseries_dataset(scaled.slice_axis(Axis(0), steps), window, horizon)
    };
    let (train, validation, test) = (part(0..seen)?, part(seen..tested)?, part(tested..series.len())?);

    let mut model = Sequential::new([window, 1]).add(LSTM::new(units)).add(Dense::new(horizon)).seed(seed).compile(
        Adam::new(0.005),
        MeanSquaredError,
        [],
    )?;
    println!("{}", model.summary());
    let stop = EarlyStopping::new("val_loss").patience(20).restore_best_weights(true);
    let config = FitConfig::new().epochs(epochs).batch_size(32).validation_data(&validation).callback(stop);
    model.fit(&train, config.verbose(2))?;

    let forecasts = model.predict_rows(&test)?;
    let truths = test.values().ok_or("the windows have target values")?;
    let windows = test.table();
    let error = |forecast: &dyn Fn(usize, usize) -> f32| {
        let squares = truths.indexed_iter().map(|((row, step), truth)| (forecast(row, step) - truth).powi(2));
        deviation * (squares.sum::<f32>() / truths.len() as f32).sqrt()
    };
    println!("\nRoot mean squared error of the last fifth, {horizon} steps ahead at most:");
    println!("{:<34} {:>8.3}", "LSTM", error(&|row, step| forecasts[[row, step]]));
    println!("{:<34} {:>8.3}", "the last measurement", error(&|row, _| windows[[row, window - 1]]));
    println!("{:<34} {:>8.3}", "the mean of what was seen", error(&|_, _| 0.0));
    let last = horizon - 1;
    let unscaled = |value: &f32| value * deviation + mean;
    let compared = Compared {
        truth: truths.column(last).iter().map(unscaled).collect(),
        forecast: forecasts.column(last).iter().map(unscaled).collect(),
    };
    if let Some(path) = report {
        draw(&path, &compared, horizon)?;
        println!("Drew the forecast in {}", path.display());
    }
    Ok(())
}

/// Two waves with noise that a formula gives.
fn made(step: usize) -> f32 {
    let time = step as f32;
    let noise = ((step * 7919 + 13) % 101) as f32 / 101.0 - 0.5;
    50.0 + 30.0 * (time / 6.0).sin() + 12.0 * (time / 17.0).cos() + 6.0 * noise
}

/// Reads a column of numbers.
fn read(path: &Path, column: Option<&str>) -> Result<Vec<f32>> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let place = match column {
        Some(name) => headers.iter().position(|header| header == name),
        None => headers.len().checked_sub(1),
    };
    let place = place.ok_or_else(|| format!("{} has no column {column:?}, it has {headers:?}", path.display()))?;
    let values = reader.records().map(|record| Ok(record?[place].parse()?));
    values.collect()
}

#[cfg(feature = "plot")]
fn draw(path: &Path, compared: &Compared, horizon: usize) -> Result<()> {
    use plotters::prelude::*;
    let Compared { truth, forecast } = compared;
    let all = || truth.iter().chain(forecast).copied();
    let (low, high) = (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max));
    let margin = (high - low) * 0.05;
    let area = SVGBackend::new(path, (900, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("Truth (grey) and forecast {horizon} steps ahead (blue)"), ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0..truth.len(), low - margin..high + margin)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("step of the test part").draw()?;
    for (values, color) in [(truth, RGBColor(0x5B, 0x63, 0x70)), (forecast, RGBColor(0x00, 0x72, 0xB2))] {
        chart.draw_series(LineSeries::new(values.iter().copied().enumerate(), color.stroke_width(2)))?;
    }
    area.present()?;
    Ok(())
}

#[cfg(not(feature = "plot"))]
fn draw(_path: &Path, _compared: &Compared, _horizon: usize) -> Result<()> {
    Ok(())
}
