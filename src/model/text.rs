//! How a model's tokens are made of texts: kept with the model, so that one file has all that a prediction needs.

use super::Model;
use crate::data::TextVectorization;
use std::sync::Arc;

impl Model {
    /// Keeps with the model how its tokens are made of texts; files of the model have it, and
    /// [`text_vectorization`](Self::text_vectorization) of a loaded one returns it.
    ///
    /// ```
    /// use inkstone::data::TextVectorization;
    /// use inkstone::prelude::*;
    /// let mut words = TextVectorization::new().output_sequence_length(4);
    /// words.adapt(["a good film", "a bad film"])?;
    /// let mut model = Sequential::new([4])
    ///     .add(Embedding::new(words.vocabulary_size(), 8).mask_zero(true))
    ///     .add(GlobalAveragePooling1D::new())
    ///     .add(Dense::new(1).activation(Sigmoid))
    ///     .compile(Adam::default(), BinaryCrossentropy::default(), [])?;
    /// model.set_text_vectorization(words);
    ///
    /// let loaded = Model::from_bytes(&model.to_bytes()?)?;
    /// let words = loaded.text_vectorization().expect("it was saved");
    /// let tokens = words.tokens(["A good, good film!"])?;
    /// assert_eq!(loaded.predict(&tokens)?, model.predict(&tokens)?);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn set_text_vectorization(&mut self, text_vectorization: TextVectorization) {
        self.text = Some(Arc::new(text_vectorization));
    }

    /// How the model's tokens are made of texts, if it was told.
    #[must_use]
    pub fn text_vectorization(&self) -> Option<&TextVectorization> {
        self.text.as_deref()
    }
}
