//! What layers with weights let users set of those, in the same words for all of them.

use super::Initializer;

/// Declares the setters of one weight: what it is called, and the fields that they set.
macro_rules! weight_setters {
    ($what:literal: $initializer:ident, $regularizer:ident, $constraint:ident) => {
        setters! {
            #[doc = concat!("Sets how the first values of ", $what, " are drawn.")]
            $initializer: Initializer,
        }

        option_setters! {
            #[doc = concat!("Sets what ", $what, " adds to the loss.")]
            $regularizer: Regularizer,

            #[doc = concat!("Sets what ", $what, " is brought to after each step.")]
            $constraint: Constraint,
        }
    };
}
pub(super) use weight_setters;

/// Declares the setter of `activity_regularizer`.
macro_rules! activity_setter {
    () => {
        option_setters! {
            /// Sets what the output, behind the activation, adds to the loss: its values, summed over an example.
            /// Losses that take what comes before a last softmax or sigmoid, as cross-entropies do, cannot be those of
            /// an output with one.
            activity_regularizer: Regularizer,
        }
    };
}
pub(super) use activity_setter;

/// A weight with what users have set of it, in the fields that begin with its name.
macro_rules! weight {
    ($layer:ident, $spec:expr, kernel) => {
        weight!(@ $layer, $spec, kernel_initializer, kernel_regularizer, kernel_constraint)
    };
    ($layer:ident, $spec:expr, recurrent) => {
        weight!(@ $layer, $spec, recurrent_initializer, recurrent_regularizer, recurrent_constraint)
    };
    ($layer:ident, $spec:expr, bias) => {
        weight!(@ $layer, $spec, bias_initializer, bias_regularizer, bias_constraint)
    };
    ($layer:ident, $spec:expr, depthwise) => {
        weight!(@ $layer, $spec, depthwise_initializer, depthwise_regularizer, depthwise_constraint)
    };
    ($layer:ident, $spec:expr, pointwise) => {
        weight!(@ $layer, $spec, pointwise_initializer, pointwise_regularizer, pointwise_constraint)
    };
    ($layer:ident, $spec:expr, gamma) => {
        weight!(@ $layer, $spec, gamma_initializer, gamma_regularizer, gamma_constraint)
    };
    ($layer:ident, $spec:expr, beta) => {
        weight!(@ $layer, $spec, beta_initializer, beta_regularizer, beta_constraint)
    };
    ($layer:ident, $spec:expr, alpha) => {
        weight!(@ $layer, $spec, alpha_initializer, alpha_regularizer, alpha_constraint)
    };
    ($layer:ident, $spec:expr, embeddings) => {
        weight!(@ $layer, $spec, embeddings_initializer, embeddings_regularizer, embeddings_constraint)
    };
    (@ $layer:ident, $spec:expr, $initializer:ident, $regularizer:ident, $constraint:ident) => {
        $spec
            .initialized($layer.$initializer)?
            .regularized($layer.$regularizer)?
            .constrained($layer.$constraint.as_ref())?
    };
}
pub(super) use weight;

/// Declares the setters of a layer with a kernel and a bias, and what it declares of those.
macro_rules! kernel_and_bias {
    () => {
        $crate::layers::weight_settings::weight_setters!(
            "the kernel": kernel_initializer, kernel_regularizer, kernel_constraint
        );
        $crate::layers::weight_settings::weight_setters!(
            "the bias": bias_initializer, bias_regularizer, bias_constraint
        );
        $crate::layers::weight_settings::activity_setter!();

        /// Its kernel, and its bias if it has one, with what users have set of them.
        fn kernel_and_bias(&self, kernel: Vec<usize>, outputs: usize) -> Result<Vec<WeightSpec>, String> {
            use $crate::layers::weight_settings::weight;
            let mut weights = vec![weight!(self, WeightSpec::kernel("kernel", kernel), kernel)];
            if self.use_bias {
                weights.push(weight!(self, WeightSpec::zeros("bias", vec![outputs]), bias));
            }
            Ok(weights)
        }
    };
}
pub(super) use kernel_and_bias;

/// Declares the setters that all normalizations have, and what they declare of their gamma and beta.
macro_rules! gamma_and_beta {
    () => {
        setters! {
            /// Sets what is added to variances.
            epsilon: f32,

            /// Sets whether there is a beta.
            center: bool,

            /// Sets whether there is a gamma.
            scale: bool,
        }

        $crate::layers::weight_settings::weight_setters!(
            "gamma": gamma_initializer, gamma_regularizer, gamma_constraint
        );
        $crate::layers::weight_settings::weight_setters!("beta": beta_initializer, beta_regularizer, beta_constraint);

        /// Its gamma and its beta, of this shape, where it has them, with what users have set of them.
        fn gamma_and_beta(&self, shape: &[usize]) -> Result<Vec<WeightSpec>, String> {
            use $crate::layers::weight_settings::weight;
            if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
                return Err(format!("expects an epsilon above 0, got {}", self.epsilon));
            }
            let mut weights = Vec::new();
            if self.scale {
                weights.push(weight!(self, WeightSpec::zeros("gamma", shape.to_vec()), gamma));
            }
            if self.center {
                weights.push(weight!(self, WeightSpec::zeros("beta", shape.to_vec()), beta));
            }
            Ok(weights)
        }

        /// Which of the two there are.
        fn learned(&self) -> Learned {
            match (self.scale, self.center) {
                (false, false) => Learned::Nothing,
                (true, false) => Learned::Scale,
                (false, true) => Learned::Offset,
                (true, true) => Learned::Both,
            }
        }
    };
}
pub(super) use gamma_and_beta;

/// Keras' default of `kernel_initializer`.
pub(super) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}

/// Keras' default of `bias_initializer`.
pub(super) fn zeros() -> Initializer {
    Initializer::Zeros
}
