//! A function of one number with its derivative, as cells take it.

/// A function of one number, with its derivative.
///
/// ```
/// use inkstone::ops::ScalarFunction;
/// let softsign = ScalarFunction::new(|x| x / (1.0 + x.abs()), |x| (1.0 + x.abs()).powi(-2));
/// assert_eq!((softsign.value(1.0), softsign.derivative(1.0)), (0.5, 0.25));
/// assert_eq!(ScalarFunction::TANH.derivative(0.0), 1.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ScalarFunction {
    value: fn(f64) -> f64,
    derivative: fn(f64) -> f64,
}

impl ScalarFunction {
    /// `x`.
    pub const LINEAR: Self = Self::new(|x| x, |_| 1.0);
    /// `max(x, 0)`.
    pub const RELU: Self = Self::new(|x| x.max(0.0), |x| if x > 0.0 { 1.0 } else { 0.0 });
    /// `1 / (1 + exp(-x))`.
    pub const SIGMOID: Self = Self::new(logistic, |x| logistic(x) * (1.0 - logistic(x)));
    /// `tanh(x)`.
    pub const TANH: Self = Self::new(f64::tanh, |x| 1.0 - x.tanh() * x.tanh());

    /// A function, and its derivative at the same `x`.
    #[must_use]
    pub const fn new(value: fn(f64) -> f64, derivative: fn(f64) -> f64) -> Self {
        Self { value, derivative }
    }

    /// The function of `x`.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        (self.value)(x)
    }

    /// The derivative at `x`.
    #[must_use]
    pub fn derivative(self, x: f64) -> f64 {
        (self.derivative)(x)
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
