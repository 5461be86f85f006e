//! Decides how it is told what is wrong with an ONNX file.

/// Why an ONNX file is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxFault {
    /// The path is a folder, a device or a pipe.
    #[error("expected an ONNX file, found a folder, a device or a pipe: give the path of a file")]
    NotAFile,
    /// It is larger than any that is read.
    #[error("expected an ONNX file of at most {limit} bytes, found {found}")]
    TooLarge {
        /// How many bytes there are.
        found: u64,
        /// The most that are read.
        limit: u64,
    },
    /// It is no Protocol Buffers message of the format.
    #[error("expected an ONNX file, found something else, or a damaged one ({0})")]
    Message(String),
    /// Its operators are those of a version that is not read.
    #[error(
        "expected operators of the opsets {oldest} to {newest}, found {found}: export the model with another `opset_version`"
    )]
    OperatorSet {
        /// The file's version; 0 if it has none.
        found: i64,
        /// The oldest that is read.
        oldest: i64,
        /// The newest that is read.
        newest: i64,
    },
    /// A tensor in it is not what it should be.
    #[error("expected sound tensors, found {name:?}, which {problem}")]
    Tensor {
        /// The tensor's name in the file.
        name: String,
        /// What is wrong, without its subject.
        problem: String,
    },
    /// Its nodes make no graph, or one whose inputs or outputs are not supported.
    #[error("expected a graph that the layers express, found one that {0}")]
    Graph(String),
    /// A node has no counterpart among the layers.
    #[error("expected operators that the layers express, found node {node:?} ({operator}), which {problem}")]
    Node {
        /// The node's name in the file, or that of its output.
        node: String,
        /// The operator.
        operator: String,
        /// Why, without its subject.
        problem: String,
    },
}
