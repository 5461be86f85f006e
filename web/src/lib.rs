//! What the page's worker calls: one lesson, in which a network learns from a data set while somebody watches.
//!
//! Everything that goes back is JSON or bytes, and every error is a text for the reader of the page. What can be decided
//! without a browser is decided in the modules; this file alone knows `wasm-bindgen`.

mod augmentation;
mod files;
mod lesson;
mod network;
mod pictures;

use lesson::Lesson;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A data set, a network, and how far it has come.
#[wasm_bindgen]
pub struct Classroom {
    lesson: Lesson,
}

#[wasm_bindgen]
impl Classroom {
    /// A lesson on drawn digits, with a network as `settings` describe it; the same seed draws the same digits.
    ///
    /// # Errors
    /// The settings' fault, or the crate's on the network that they describe.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str, train: usize, test: usize, seed: u64) -> Result<Self, JsError> {
        Ok(Self { lesson: Lesson::on_drawn_digits(settings, train, test, seed)? })
    }

    /// Takes four IDX files, plain or gzip, in the place of the data set, and begins anew.
    ///
    /// # Errors
    /// What is wrong with which file, or with the network for these pictures.
    pub fn use_files(
        &mut self,
        settings: &str,
        train_images: &[u8],
        train_labels: &[u8],
        test_images: &[u8],
        test_labels: &[u8],
    ) -> Result<(), JsError> {
        let train = files::dataset("the training set", train_images, train_labels)?;
        let test = files::dataset("the test set", test_images, test_labels)?;
        Ok(self.lesson.learn_from(settings, train, test)?)
    }

    /// A new network, which knows nothing.
    ///
    /// # Errors
    /// As [`new`](Self::new); the old network stays.
    pub fn begin(&mut self, settings: &str) -> Result<(), JsError> {
        Ok(self.lesson.begin(settings)?)
    }

    /// What a person wants to know of the network: a table of its layers, how many weights it has.
    ///
    /// # Errors
    /// None in practice.
    pub fn describe(&self) -> Result<String, JsError> {
        json(&self.lesson.describe())
    }

    /// Trains until at least this many milliseconds have passed, a batch at least.
    ///
    /// # Errors
    /// The crate's, as where the loss is no number any more.
    pub fn train(&mut self, milliseconds: f64) -> Result<String, JsError> {
        json(&self.lesson.train(milliseconds)?)
    }

    /// How well it reads so many examples of the test set: loss, accuracy, confusion matrix, its most certain mistakes.
    ///
    /// # Errors
    /// The crate's.
    pub fn examine(&self, examples: usize) -> Result<String, JsError> {
        json(&self.lesson.examine(examples)?)
    }

    /// What it reads in a drawing of grey bytes, row by row: the probabilities, and the picture as it sees it.
    ///
    /// # Errors
    /// The crate's, as where nothing is drawn.
    pub fn read(&self, pixels: &[u8], width: usize) -> Result<String, JsError> {
        json(&self.lesson.read(pixels, width)?)
    }

    /// A picture of the test set; `part`, from 0 to 1, says which.
    ///
    /// # Errors
    /// None in practice.
    pub fn example(&self, part: f64) -> Result<String, JsError> {
        json(&self.lesson.example(part)?)
    }

    /// The filters of the first layer that has any, as grey pictures.
    ///
    /// # Errors
    /// None in practice.
    pub fn filters(&self) -> Result<String, JsError> {
        json(&pictures::filters(self.lesson.model()))
    }

    /// The model as a file of Inkstone.
    ///
    /// # Errors
    /// The crate's.
    pub fn save(&self) -> Result<Vec<u8>, JsError> {
        Ok(self.lesson.model().to_bytes()?)
    }

    /// Goes on with the model of such a file.
    ///
    /// # Errors
    /// What is wrong with the file, or does not fit the data; the old network stays.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), JsError> {
        Ok(self.lesson.load(bytes)?)
    }

    /// The model for ONNX Runtime and others.
    ///
    /// # Errors
    /// The crate's.
    pub fn to_onnx(&self) -> Result<Vec<u8>, JsError> {
        Ok(self.lesson.model().to_onnx()?)
    }
}

fn json(value: &impl Serialize) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}
