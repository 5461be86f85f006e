//! The networks: a DCGAN in small, and the classifier that judges it.

use inkstone::Result;
use inkstone::prelude::*;

/// Numbers that an image is made of.
const LATENT: usize = 64;
/// Values that the discriminator knows an image by.
const FEATURES: usize = 128;

/// How fast the discriminator learns, relative to the generator. At the same rate it gets far ahead, and the generator
/// keeps to the digits that it makes best: this halves the distance to real digits after 12 epochs.
const DISCRIMINATOR_RATE: f32 = 0.4;

/// What the networks are to be.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) conditional: bool,
    pub(crate) learning_rate: f32,
    /// Steps of the whole training.
    pub(crate) steps: u64,
    pub(crate) seed: u64,
}

impl Plan {
    fn optimizer(&self, rate: f32) -> Optimizer {
        Adam::new(CosineDecay::new(rate * self.learning_rate, self.steps)).beta_1(0.5).into()
    }

    /// Images of latent vectors, and of a label as one of ten values. Every kernel is a multiple of its stride.
    pub(crate) fn generator(&self) -> Result<Model> {
        let (latent, label) = (Input::new([LATENT]), Input::new([10]));
        let start = if self.conditional { Concatenate::of([&latent, &label]) } else { latent.clone() };
        let normalized = |x: &Node| x.apply(BatchNormalization::new().momentum(0.9)).apply(Activation::new(Relu));
        let x = normalized(&start.apply(Dense::new(7 * 7 * 64).use_bias(false))).apply(Reshape::new([7, 7, 64]));
        let up = |filters| Conv2DTranspose::new(filters, (4, 4)).strides((2, 2)).padding(Same);
        let x = normalized(&x.apply(up(32).use_bias(false)));
        let image = x.apply(up(1).activation(Sigmoid));
        let inputs = if self.conditional { vec![&latent, &label] } else { vec![&latent] };
        let optimizer = self.optimizer(1.0).use_ema(true).ema_momentum(0.998);
        Functional::new(inputs, [&image]).seed(self.seed).compile(optimizer, MeanSquaredError, [])
    }

    /// A score of an image. With labels it is that of a "projection discriminator" (Miyato and Koyama, 2018): features
    /// of the image are multiplied by features of its label.
    pub(crate) fn discriminator(&self) -> Result<Model> {
        let (image, label) = (Input::new([28, 28, 1]), Input::new([10]));
        let down = |filters| Conv2D::new(filters, (4, 4)).strides((2, 2)).padding(Same).activation(LeakyRelu);
        let x = image.apply(down(32)).apply(down(64)).apply(Flatten::new());
        let features = x.apply(Dense::new(FEATURES).activation(LeakyRelu));
        let (inputs, end) = if self.conditional {
            let of_label = label.apply(Dense::new(FEATURES).use_bias(false));
            let product = Multiply::of([&features, &of_label]);
            (vec![&image, &label], Concatenate::of([&features, &product]))
        } else {
            (vec![&image], features)
        };
        let score = end.apply(Dense::new(1));
        Functional::new(inputs, [&score]).seed(self.seed.wrapping_add(1)).compile(
            self.optimizer(DISCRIMINATOR_RATE),
            MeanSquaredError,
            [],
        )
    }

    /// Reads digits; its layer `features` has 64 values.
    pub(crate) fn classifier(&self) -> Result<Model> {
        Sequential::new([28, 28, 1])
            .add(Conv2D::new(16, (3, 3)).activation(Relu))
            .add(MaxPooling2D::new((2, 2)))
            .add(Conv2D::new(32, (3, 3)).activation(Relu))
            .add(MaxPooling2D::new((2, 2)))
            .add(Flatten::new())
            .add(Dropout::new(0.3))
            .add(Dense::new(64).activation(Relu).name("features"))
            .add(Dense::new(10).activation(Softmax))
            .seed(self.seed)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
    }
}
