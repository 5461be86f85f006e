//! The messages in an ONNX file, as far as we write and read them:
//! [`onnx.proto`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), field by field.

/// `AttributeProto.AttributeType.FLOAT`.
const FLOAT_ATTRIBUTE: i32 = 1;
/// `AttributeProto.AttributeType.INT`.
const INT: i32 = 2;
/// `AttributeProto.AttributeType.STRING`.
const STRING: i32 = 3;
/// `AttributeProto.AttributeType.INTS`.
const INTS: i32 = 7;
/// The same of several floats.
const FLOATS: i32 = 6;
/// The same of several texts.
const STRINGS: i32 = 8;
/// `TensorProto.DataType.FLOAT`: 32 bits.
pub(super) const FLOAT: i32 = 1;
/// `TensorProto.DataType.UINT8`.
pub(super) const UINT8: i32 = 2;
/// `TensorProto.DataType.INT8`.
pub(super) const INT8: i32 = 3;
/// `TensorProto.DataType.INT32`.
pub(super) const INT32: i32 = 6;
/// `TensorProto.DataType.INT64`.
pub(super) const INT64: i32 = 7;

/// `TensorProto.DataType.FLOAT16`.
pub(super) const FLOAT16: i32 = 10;
/// `TensorProto.DataType.DOUBLE`.
pub(super) const DOUBLE: i32 = 11;
/// `TensorProto.DataType.BFLOAT16`.
pub(super) const BFLOAT16: i32 = 16;

/// `ModelProto`: a whole file.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelFile {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(string, tag = "6")]
    pub(super) doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<Property>,
}

/// `OperatorSetIdProto`: what the operators' names mean. The standard's own set has no domain.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

/// `StringStringEntryProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Property {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Graph {
    /// In an order in which they can be computed.
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
}

/// `NodeProto`: one operator with its inputs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
    /// Whose operator it is; empty for the standard's own.
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// `AttributeProto`: an argument that is no tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// Optional, so that a zero is written too.
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    /// Optional for the same reason.
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) strings: Vec<Vec<u8>>,
    #[prost(int32, tag = "20")]
    pub(super) kind: i32,
}

/// `TensorProto`: weights, and what operators take as numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    /// Integers of at most 32 bits, and the bits of 16-bit floats.
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    /// The values, least significant bytes first, the last axis fastest.
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    /// The file that has the values, if another one does.
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<Property>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

/// `ValueInfoProto`: the name and type of an input or output.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<ValueType>,
    #[prost(string, tag = "3")]
    pub(super) doc_string: String,
}

/// `TypeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ValueType {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor_type: Option<TensorType>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShape>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorShape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

/// `TensorShapeProto.Dimension`: a number, or a name for one that is free.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub(super) dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) dim_param: Option<String>,
}

impl Attribute {
    pub(super) fn int(name: &str, value: i64) -> Self {
        Self { i: Some(value), ..Self::of_kind(name, INT) }
    }

    pub(super) fn text(name: &str, value: &str) -> Self {
        Self { s: Some(value.into()), ..Self::of_kind(name, STRING) }
    }

    pub(super) fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Self {
        Self { ints: signed(values), ..Self::of_kind(name, INTS) }
    }

    pub(super) fn integers(name: &str, values: &[i64]) -> Self {
        Self { ints: values.to_vec(), ..Self::of_kind(name, INTS) }
    }

    pub(super) fn float(name: &str, value: f32) -> Self {
        Self { f: Some(value), ..Self::of_kind(name, FLOAT_ATTRIBUTE) }
    }

    pub(super) fn floats(name: &str, values: &[f32]) -> Self {
        Self { floats: values.to_vec(), ..Self::of_kind(name, FLOATS) }
    }

    pub(super) fn texts(name: &str, values: &[&str]) -> Self {
        Self { strings: values.iter().map(|value| value.as_bytes().to_vec()).collect(), ..Self::of_kind(name, STRINGS) }
    }

    fn of_kind(name: &str, kind: i32) -> Self {
        Self { name: name.into(), kind, ..Self::default() }
    }
}

impl Tensor {
    /// - values: as many as the axes say, the last axis fastest
    pub(super) fn new<'a>(name: &str, axes: &[usize], values: impl IntoIterator<Item = &'a f32>) -> Self {
        Self {
            dims: signed(axes.iter().copied()),
            data_type: FLOAT,
            name: name.into(),
            raw_data: values.into_iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }
}

impl Tensor {
    /// A row of integers.
    pub(super) fn of_integers(name: &str, values: &[i64]) -> Self {
        Self {
            dims: vec![values.len() as i64],
            data_type: INT64,
            name: name.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }
}

impl Tensor {
    /// A row of floats.
    pub(super) fn of_floats(name: &str, values: &[f32]) -> Self {
        Self {
            dims: vec![values.len() as i64],
            data_type: FLOAT,
            name: name.into(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Self::default()
        }
    }
}

impl Tensor {
    pub(super) fn of_bytes(name: &str, axes: &[usize], values: &[u8]) -> Self {
        Self {
            dims: signed(axes.iter().copied()),
            data_type: UINT8,
            name: name.into(),
            raw_data: values.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn of_signed_bytes(name: &str, axes: &[usize], values: &[i8]) -> Self {
        let bytes = values.iter().map(|value| value.cast_unsigned());
        Self { data_type: INT8, raw_data: bytes.collect(), ..Self::of_bytes(name, axes, &[]) }
    }

    pub(super) fn of_int32(name: &str, axes: &[usize], values: &[i32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Self { data_type: INT32, raw_data: bytes.collect(), ..Self::of_bytes(name, axes, &[]) }
    }

    /// Whether its values are signed bytes.
    pub(super) fn is_of_signed_bytes(&self) -> bool {
        self.data_type == INT8
    }
}

impl ValueInfo {
    /// A tensor of floats: (batch, axes...), the batch free.
    pub(super) fn new(name: &str, axes: &[usize], doc_string: String) -> Self {
        let batch = Dimension { dim_value: None, dim_param: Some("batch".into()) };
        let others = signed(axes.iter().copied()).into_iter();
        let others = others.map(|axis| Dimension { dim_value: Some(axis), dim_param: None });
        let shape = TensorShape { dim: std::iter::once(batch).chain(others).collect() };
        let tensor_type = TensorType { elem_type: FLOAT, shape: Some(shape) };
        Self { name: name.into(), kind: Some(ValueType { tensor_type: Some(tensor_type) }), doc_string }
    }
}

/// Sizes as ONNX has them; none of ours is more than 2^28.
fn signed(sizes: impl IntoIterator<Item = usize>) -> Vec<i64> {
    sizes.into_iter().map(|size| size as i64).collect()
}
