//! Writes and parses model descriptions as JSON; errors have their location. `sequential/written` parses the shorter
//! forms of layers.

use super::{CustomObjects, tracked};
use crate::error::{Error, Result};
use crate::sequential::Sequential;

/// Descriptions as JSON.
impl Sequential {
    /// Parses the description of a model from JSON, for example from a configuration file.
    ///
    /// - `input`: `[height, width, channels]`, `[features]`, or any one to four axes
    /// - `layers`: each as `{"Dense": {"units": 10, "activation": "softmax"}}`: the type, and its fields, which have
    ///   the names of the structures in [`layers`](crate::layers). Those that are left out have Keras' defaults; a
    ///   layer that needs none may be its name alone, as `"Flatten"`. Activations and paddings may be written as in
    ///   Keras, `"relu"`, `"same"`.
    /// - `seed`: as in [`seed`](Self::seed), if there is to be one
    ///
    /// Layers of a user's own types are read by [`from_json_with`](Self::from_json_with).
    ///
    /// What [`to_json`](Self::to_json) writes has this form, too. Keras' own `to_json` has another.
    ///
    /// # Errors
    /// [`Error::Json`] with the location, if this is not valid JSON, or a field is missing, unknown or of another type.
    /// Whether layers fit each other is for [`compile`](Self::compile) to check.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let described = Sequential::from_json(r#"{
    ///     "input": [28, 28, 1],
    ///     "layers": [
    ///         {"Conv2D": {"filters": 32, "kernel_size": [3, 3], "activation": "relu"}},
    ///         "MaxPooling2D",
    ///         "Flatten",
    ///         {"Dense": {"units": 10, "activation": "softmax"}}
    ///     ]
    /// }"#)?;
    /// let built = Sequential::new([28, 28, 1])
    ///     .add(Conv2D::new(32, (3, 3)).activation(Relu))
    ///     .add(MaxPooling2D::new((2, 2)))
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax));
    /// assert_eq!(described, built);
    ///
    /// let error = Sequential::from_json(r#"{"input": [4], "layers": [{"Dense": {"units": "ten"}}]}"#).unwrap_err();
    /// let place = "the description of the model, at layers[0].Dense.units: invalid type: string";
    /// assert!(error.to_string().starts_with(place));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_json(json: &str) -> Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let described = tracked::parse(&mut deserializer, &mut |_| ()).map_err(|error| {
            let path = error.path().to_string();
            // The root of the document.
            let path = if path == "." { String::new() } else { path };
            Error::Json { path, problem: error.into_inner().to_string() }
        })?;
        let nothing_else = deserializer.end();
        nothing_else.map_err(|error| Error::Json { path: String::new(), problem: error.to_string() })?;
        Ok(described)
    }

    /// As [`from_json`](Self::from_json), with layers of your own: `{"Custom": {"name": "Scale", "config": null}}`,
    /// whose configuration is the serde form of the type with this name.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), and [`Error::Json`] for a layer whose type is not among the objects, or
    /// refuses its configuration.
    ///
    /// ```
    /// use inkstone::custom::{CustomLayer, CustomObjects, LayerBackward, LayerForward};
    /// use inkstone::prelude::*;
    /// # use inkstone::Shape;
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Debug, Serialize, Deserialize)]
    /// struct Times {
    ///     factor: f32,
    /// }
    /// impl CustomLayer for Times {
    ///     const NAME: &'static str = "Times";
    ///     // ...
    /// #   fn output_shape(&self, input: Shape) -> Result<Shape, String> {
    /// #       Ok(input)
    /// #   }
    /// #   fn forward(&self, pass: LayerForward<'_>) {
    /// #       pass.output.iter_mut().zip(pass.input).for_each(|(y, x)| *y = self.factor * x);
    /// #   }
    /// #   fn backward(&self, _pass: LayerBackward<'_>) {}
    /// }
    ///
    /// let json = r#"{"input": [4], "layers": [{"Custom": {"name": "Times", "config": {"factor": 0.5}}}]}"#;
    /// let described = Sequential::from_json_with(json, &CustomObjects::new().layer::<Times>())?;
    /// assert_eq!(described, Sequential::new([4]).add(Times { factor: 0.5 }));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_json_with(json: &str, custom_objects: &CustomObjects) -> Result<Self> {
        let mut described = Self::from_json(json)?;
        match custom_objects.resolve_layers(described.layers_mut()) {
            Ok(()) => Ok(described),
            Err((index, problem)) => Err(Error::Json { path: format!("layers[{index}].Custom"), problem }),
        }
    }

    /// The description as JSON, which [`from_json`](Self::from_json) reads.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax));
    /// let described = described.seed(42);
    /// let json = described.to_json();
    /// assert!(json.contains(r#"{"Dense":{"units":10,"activation":"Softmax","use_bias":true,"trainable":true}}"#));
    /// assert_eq!(Sequential::from_json(&json)?, described);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        // Rates that are no numbers become `null`.
        serde_json::to_string(self).expect("a description is plain data")
    }
}
