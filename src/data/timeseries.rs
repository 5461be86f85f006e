//! Windows of a series of measurements, each with what comes behind it.

use super::Dataset;
use crate::error::{Error, Result};
use ndarray::{Array2, Array3, ArrayView2};

/// Which windows of a series become examples, and what each is to predict, after [Keras'
/// `timeseries_dataset_from_array`](https://keras.io/api/data_loading/timeseries/).
///
/// An example is `window` steps of the series, and its target the `horizon` steps behind them, all features of them or
/// one ([`target`](Self::target)).
///
/// ```
/// use inkstone::data::Timeseries;
/// use inkstone::ndarray::{Array2, array};
/// let series: Array2<f32> = array![[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0]];
/// let windows = Timeseries::new(3, 2).dataset(series.view())?;
/// assert_eq!((windows.len(), windows.shape().to_string()), (3, "(3, 1)".to_string()));
/// assert_eq!(windows.table().row(1), array![1.0, 2.0, 3.0]);
/// assert_eq!(windows.values().unwrap().row(1), array![4.0, 5.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeseries {
    window: usize,
    horizon: usize,
    sequence_stride: usize,
    sampling_rate: usize,
    target: Option<usize>,
}

impl Timeseries {
    /// Windows of so many steps, one from each step of the series on, and so many steps behind them to predict.
    #[must_use]
    pub fn new(window: usize, horizon: usize) -> Self {
        Self { window, horizon, sequence_stride: 1, sampling_rate: 1, target: None }
    }

    setters! {
        /// Sets how many steps there are from one window's start to the next's.
        sequence_stride: usize,

        /// Sets that only every so many steps of the series are steps of a window and its target.
        sampling_rate: usize,
    }

    option_setters! {
        /// Sets the one feature that is to be predicted; otherwise all are.
        target: usize,
    }

    /// The windows of a series, (steps, features), with target values, (N, horizon * features), or (N, horizon) of one
    /// feature.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is 0 or there is no such feature, [`Error::Data`] if a window and its target are
    /// longer than the series, or a value is NaN or infinite.
    pub fn dataset(&self, series: ArrayView2<'_, f32>) -> Result<Dataset> {
        let Self { window, horizon, sequence_stride, sampling_rate, target } = *self;
        let settings = [
            ("window", window),
            ("horizon", horizon),
            ("sequence_stride", sequence_stride),
            ("sampling_rate", sampling_rate),
        ];
        for (name, value) in settings {
            if value == 0 {
                return Err(Error::Setting { name, expected: "at least 1", received: "0".into() });
            }
        }
        let (steps, features) = series.dim();
        if let Some(target) = target.filter(|target| *target >= features) {
            let received = format!("{target} of {features} features");
            return Err(Error::Setting { name: "target", expected: "a feature of the series", received });
        }
        let needed = window.saturating_add(horizon).saturating_sub(1).saturating_mul(sampling_rate).saturating_add(1);
        if needed > steps {
            return Err(Error::Data(format!(
                "a window of {window} steps and a horizon of {horizon} take {needed} steps of the series, which has {steps}: use \
                 shorter ones"
            )));
        }
        let count = (steps - needed) / sequence_stride + 1;
        let at = |example: usize, step: usize| example * sequence_stride + step * sampling_rate;
        let inputs = Array3::from_shape_fn((count, window, features), |(example, step, feature)| {
            series[[at(example, step), feature]]
        });
        let of_step = target.map_or(features, |_| 1);
        let values = Array2::from_shape_fn((count, horizon * of_step), |(example, value)| {
            let feature = target.unwrap_or(value % of_step);
            series[[at(example, window + value / of_step), feature]]
        });
        Dataset::from_sequences_and_values(inputs, values)
    }
}

/// The windows of a series, (steps, features), of `window` steps each, with the `horizon` steps behind it as target
/// values: [`Timeseries`] has more settings.
///
/// # Errors
/// As [`Timeseries::dataset`].
///
/// ```
/// use inkstone::data::timeseries_dataset;
/// use inkstone::ndarray::Array2;
/// let series = Array2::from_shape_fn((100, 2), |(step, feature)| (step * (feature + 1)) as f32);
/// let windows = timeseries_dataset(series.view(), 24, 1)?;
/// assert_eq!((windows.len(), windows.values().unwrap().ncols()), (76, 2));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn timeseries_dataset(series: ArrayView2<'_, f32>, window: usize, horizon: usize) -> Result<Dataset> {
    Timeseries::new(window, horizon).dataset(series)
}
