//! Decides how it is told what is wrong with a `.keras` file.

/// Why a `.keras` file is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KerasFault {
    /// The path is a folder, a device or a pipe.
    #[error("expected a .keras file, found a folder, a device or a pipe: give the path of a file")]
    NotAFile,
    /// It is a file of HDF5, as older versions of Keras write.
    #[error(
        "expected a .keras file, found HDF5, the older format: load it in Keras 3 (`keras.saving.load_model`) and save it as \
         `model.save(\"model.keras\")`"
    )]
    Hdf5,
    /// It is no archive.
    #[error("expected a .keras file, which is a zip archive, found something else, or a damaged one ({0})")]
    Archive(String),
    /// A file in the archive is missing, damaged or too large.
    #[error("expected a sound {name} in the archive, found one that {problem}")]
    Entry {
        /// The name of the file in the archive.
        name: &'static str,
        /// What is wrong, without its subject.
        problem: String,
    },
    /// The description is not that of a model, or of one whose form is not supported.
    #[error("expected a model that the layers express, found one that {0}")]
    Graph(String),
    /// A layer has no counterpart among ours, or an argument that ours have not.
    #[error("expected layers that there are, found {name:?} ({class}), which {problem}")]
    Layer {
        /// The layer's name in the file.
        name: String,
        /// Its class in Keras.
        class: String,
        /// Why, without its subject.
        problem: String,
    },
    /// A weight is missing, or is not what it should be.
    #[error("expected the weights of layer {layer:?}, found a {weight} that {problem}")]
    Weight {
        /// The layer's name in the file.
        layer: String,
        /// The weight, as in `kernel`.
        weight: String,
        /// What is wrong, without its subject.
        problem: String,
    },
}
