//! Decides what a quantized model is in ONNX: the graph of its plan on floats, with a pair of `QuantizeLinear` and
//! `DequantizeLinear` where a value is bytes, and kernels of bytes behind a `DequantizeLinear`. Programs with kernels
//! for bytes make products of bytes of that.

use super::activations::Activations;
use super::graph::{Builder, Layout, Operator, Value};
use super::layers::{end_name, input_info, output_info, sliding};
use super::message::{Attribute, ModelFile, Tensor};
use super::{MAX_BYTES, encode, versions};
use crate::error::{Error, Result};
use crate::kernels::activation::{Elementwise, SELU};
use crate::kernels::int8::Quantization;
use crate::kernels::output::OutputFunction;
use crate::layers::ActivationFunction;
use crate::plan::{ConvStep, Head, Placed, Step};
use crate::program::plain::{Activate, AveragePool, MaxPool, Merge, MergeFunction};
use crate::program::{Plain, ValueId};
use crate::quantized::{Int8Weights, Parts, QuantizedPredictor, Way};
use crate::shape::Window2d;
use crate::whole_file::write_whole;

/// ONNX. The graph has the names and shapes of inputs and outputs that [`Model::export_onnx`](crate::Model::export_onnx)
/// tells of, and says in the form called QDQ where values are bytes: ONNX Runtime, among others, then computes with
/// bytes. Its results differ from ours by a rounding here and there.
impl QuantizedPredictor {
    /// Writes the model as an ONNX file, which other programs run. It is replaced as a whole.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written; the others as [`to_onnx`](Self::to_onnx). What was there
    /// before is then still there.
    pub fn export_onnx(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        let bytes = self.to_onnx()?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// The bytes that [`export_onnx`](Self::export_onnx) would write.
    ///
    /// Only with the feature `onnx`.
    ///
    /// # Errors
    /// [`Error::Model`] if a layer runs on floats that is no pooling, sum, product or activation function, or the file
    /// would be larger than the format allows (2 GiB).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let bytes = model.quantize(&[[-1.0, 1.0]])?.to_onnx()?;
    /// let name = b"DequantizeLinear";
    /// assert!(bytes.windows(name.len()).any(|part| part == name));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        encode(&file(&self.parts)?, MAX_BYTES)
    }
}

fn file(parts: &Parts) -> Result<ModelFile> {
    let plan = &parts.program.plan;
    let (inputs, heads) = (plan.inputs.len(), plan.heads.len());
    let infos: Vec<_> = plan
        .input_shapes()
        .enumerate()
        .map(|(index, shape)| input_info(end_name("input", index, inputs), shape))
        .collect();
    let mut emitter = Emitter { parts, builder: Builder::default(), results: vec![None; plan.lengths.len()] };
    for (info, input) in infos.iter().zip(&plan.inputs) {
        let value = Value::input(info.name.clone(), input.shape);
        emitter.put(input.value, value, input.shape.as_image(), &info.name);
    }
    for index in 0..plan.steps.len() {
        emitter.step(index)?;
    }
    let outputs = plan.heads.iter().enumerate().map(|(index, head)| {
        let name = end_name("output", index, heads);
        (emitter.output(head, &name), output_info(name, head.shape))
    });
    let outputs = outputs.collect();
    let graph = emitter.builder.finish(infos, outputs);
    let (operators, ir_version) = versions::of(&graph);
    Ok(ModelFile {
        ir_version,
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: "A quantized model.".into(),
        graph: Some(graph),
        opset_import: vec![operators],
        metadata_props: Vec::new(),
    })
}

/// A value of the plan in the graph.
#[derive(Clone)]
struct Emitted {
    floats: Value,
    /// The same made bytes and floats again, for those who read it as bytes.
    bytes: Option<Value>,
    /// Rows, columns and channels.
    image: (usize, usize, usize),
}

struct Emitter<'a> {
    parts: &'a Parts,
    builder: Builder,
    results: Vec<Option<Emitted>>,
}

impl Emitter<'_> {
    /// Keeps what a value of the plan is, and makes it bytes if it is read so.
    fn put(&mut self, ValueId(value): ValueId, floats: Value, image: (usize, usize, usize), name: &str) {
        let of = self.parts.program.quantizations[value];
        let bytes = self.parts.program.forms.as_bytes[value].then(|| self.quantized(&floats, of, name));
        self.results[value] = Some(Emitted { floats, bytes, image });
    }

    /// A value made bytes and floats again.
    fn quantized(&mut self, x: &Value, of: Quantization, name: &str) -> Value {
        let numbers = || {
            let scale = Tensor::new(&format!("{name}/scale"), &[], &[of.scale]);
            [scale, Tensor::of_bytes(&format!("{name}/zero_point"), &[], &[of.zero_point])]
        };
        let quantize = Operator::new("QuantizeLinear").with_weights(numbers());
        let bytes = self.builder.push(format!("{name}/quantized"), quantize, &[x], x.layout);
        let dequantize = Operator::new("DequantizeLinear").with_weights(numbers());
        self.builder.push(format!("{name}/dequantized"), dequantize, &[&bytes], x.layout)
    }

    /// A tensor of integers as the floats that it stands for: one scale for each part along the first axis.
    fn dequantized(&mut self, integers: Tensor, scales: &[f32]) -> Value {
        let name = integers.name.clone();
        let mut numbers = vec![integers, Tensor::new(&format!("{name}/scales"), &[scales.len()], scales)];
        if numbers[0].is_of_signed_bytes() {
            numbers.push(Tensor::of_signed_bytes(
                &format!("{name}/zero_points"),
                &[scales.len()],
                &vec![0; scales.len()],
            ));
        }
        let operator =
            Operator::new("DequantizeLinear").with_weights(numbers).with_attributes([Attribute::int("axis", 0)]);
        self.builder.push(format!("{name}/dequantized"), operator, &[], Layout::Plain { rank: 1 })
    }

    fn read(&self, ValueId(value): ValueId, way: Way) -> (Value, (usize, usize, usize)) {
        let Emitted { floats, bytes, image } = self.results[value].clone().expect("steps come in order");
        match way {
            Way::Floats => (floats, image),
            Way::Conv(_) | Way::MaxPool | Way::Copy | Way::Rescale => (bytes.unwrap_or(floats), image),
        }
    }

    /// A value as an image of this form.
    fn image(
        &mut self,
        (value, found): (Value, (usize, usize, usize)),
        wanted: (usize, usize, usize),
        name: &str,
    ) -> Value {
        let is_image = match value.layout {
            Layout::ChannelsFirst | Layout::ChannelsLast => found == wanted,
            Layout::Plain { .. } => false,
        };
        if is_image {
            return self.builder.channels_first(&value, name);
        }
        let value = self.builder.channels_last(&value, name);
        let axes = [-1, wanted.0 as i64, wanted.1 as i64, wanted.2 as i64];
        let reshaped = self.reshape(&value, &axes, name, Layout::ChannelsLast);
        self.builder.channels_first(&reshaped, name)
    }

    fn reshape(&mut self, value: &Value, axes: &[i64], name: &str, layout: Layout) -> Value {
        let axes = Tensor::of_integers(&format!("{name}/shape"), axes);
        let operator = Operator::new("Reshape").with_weights([axes]);
        self.builder.push(format!("{name}/reshaped"), operator, &[value], layout)
    }

    /// A value as a row for each example.
    fn one_row(&mut self, value: &Value, name: &str) -> Value {
        let value = self.builder.channels_last(value, name);
        match value.layout {
            Layout::Plain { rank: 1 } => value,
            Layout::ChannelsLast | Layout::ChannelsFirst | Layout::Plain { .. } => {
                let operator = Operator::new("Flatten").with_attributes([Attribute::int("axis", 1)]);
                self.builder.push(format!("{name}/flatten"), operator, &[&value], Layout::Plain { rank: 1 })
            }
        }
    }

    fn step(&mut self, index: usize) -> Result<()> {
        let program = &self.parts.program;
        let (Placed { step, reads, writes, .. }, way) = (&program.plan.steps[index], program.forms.ways[index]);
        let name = format!("step_{index}");
        let x = self.read(reads[0], way);
        let (y, image) = match (step, &self.parts.kernels[index]) {
            (Step::Conv(conv), Some(kernel)) => {
                let input = program.quantizations[reads[0].0];
                self.conv(conv, kernel, x, input, &name)?
            }
            (Step::Plain(Plain::MaxPool(MaxPool { window, channels })), _) => {
                self.pool("MaxPool", window, *channels, x, &name)
            }
            (Step::Plain(Plain::AveragePool(AveragePool { window, channels })), _) => {
                self.pool("AveragePool", window, *channels, x, &name)
            }
            (Step::Plain(Plain::Dropout(_) | Plain::Noise(_)), _) => x,
            (Step::Plain(Plain::Activate(Activate(function))), _) => (self.activate(*function, &x.0, &name)?, x.1),
            (Step::Plain(Plain::Merge(Merge(function))), _) => {
                let operator = match function {
                    MergeFunction::Sum => "Add",
                    MergeFunction::Difference => "Sub",
                    MergeFunction::Product => "Mul",
                    MergeFunction::Maximum => "Max",
                    MergeFunction::Minimum => "Min",
                };
                let z = self.read(reads[1], way);
                let (x, image) = (self.builder.channels_last(&x.0, &name), x.1);
                let z = self.builder.channels_last(&z.0, &name);
                (self.builder.push(name.clone(), Operator::new(operator), &[&x, &z], x.layout), image)
            }
            (Step::Conv(_) | Step::Plain(_), _) => {
                return Err(refused(index, "that has no form on bytes in ONNX"));
            }
        };
        self.put(*writes, y, image, &name);
        Ok(())
    }

    fn pool(
        &mut self,
        operator: &'static str,
        window: &Window2d,
        channels: usize,
        x: (Value, (usize, usize, usize)),
        name: &str,
    ) -> (Value, (usize, usize, usize)) {
        let x = self.image(x, (window.image.0, window.image.1, channels), name);
        let operator = Operator::new(operator).with_attributes(sliding(window));
        let y = self.builder.push(name.to_owned(), operator, &[&x], Layout::ChannelsFirst);
        (y, (window.out.0, window.out.1, channels))
    }

    fn conv(
        &mut self,
        conv: &ConvStep,
        kernel: &Int8Weights,
        x: (Value, (usize, usize, usize)),
        input: Quantization,
        name: &str,
    ) -> Result<(Value, (usize, usize, usize))> {
        let (window, channels, filters) = (&conv.geometry.window, conv.geometry.channels, conv.layout.filters);
        let (kernel_name, bias_name) = (format!("{name}/kernel"), format!("{name}/bias"));
        let biases: Vec<i32> = kernel.integer_biases(input).collect();
        let units: Vec<f32> = kernel.scales.iter().map(|scale| scale * input.scale).collect();
        let biases = self.dequantized(Tensor::of_int32(&bias_name, &[filters], &biases), &units);
        let is_dense = window.image == (1, 1) && window.size == (1, 1);
        let (y, image) = if is_dense {
            let weights = Tensor::of_signed_bytes(&kernel_name, &[filters, channels], &kernel.weights);
            let weights = self.dequantized(weights, &kernel.scales);
            let x = self.one_row(&x.0, name);
            let operator = Operator::new("Gemm").with_attributes([Attribute::int("transB", 1)]);
            (self.builder.push(name.to_owned(), operator, &[&x, &weights, &biases], x.layout), (1, 1, filters))
        } else {
            let weights = turned(kernel, window, channels);
            let shape = [filters, channels, window.size.0, window.size.1];
            let weights = self.dequantized(Tensor::of_signed_bytes(&kernel_name, &shape, &weights), &kernel.scales);
            let x = self.image(x, (window.image.0, window.image.1, channels), name);
            let operator = Operator::new("Conv").with_attributes(sliding(window));
            let y = self.builder.push(name.to_owned(), operator, &[&x, &weights, &biases], Layout::ChannelsFirst);
            (y, (window.out.0, window.out.1, filters))
        };
        let y = self.activate(conv.activation, &y, name)?;
        let Some(pool) = &conv.geometry.pool else { return Ok((y, image)) };
        Ok(self.pool("MaxPool", pool, filters, (y, image), &format!("{name}/pool")))
    }

    fn activate(&mut self, function: Elementwise, x: &Value, name: &str) -> Result<Value> {
        let mut activations = Activations { builder: &mut self.builder, layer: name };
        let function = match function {
            Elementwise::Linear => ActivationFunction::Linear,
            Elementwise::Relu => ActivationFunction::Relu,
            Elementwise::CappedRelu { ceiling } => return Ok(activations.clipped(x, ceiling)),
            Elementwise::LeakyRelu { slope } => return Ok(activations.leaky_relu(x, slope)),
            Elementwise::Elu { alpha, scale: 1.0 } => return Ok(activations.elu(x, alpha)),
            Elementwise::Elu { alpha, scale } if (alpha, scale) == (SELU.0 as f32, SELU.1 as f32) => {
                ActivationFunction::Selu
            }
            Elementwise::Elu { .. } | Elementwise::Rectifier { .. } => {
                return Err(Error::Model(format!(
                    "has an activation function {function:?} that a quantized model has no operator for in ONNX: `export_onnx` the \
                     model of floats"
                )));
            }
            Elementwise::Sigmoid => ActivationFunction::Sigmoid,
            Elementwise::HardSigmoid => ActivationFunction::HardSigmoid,
            Elementwise::Tanh => ActivationFunction::Tanh,
            Elementwise::Softsign => ActivationFunction::Softsign,
            Elementwise::Softplus => ActivationFunction::Softplus,
            Elementwise::Exponential => ActivationFunction::Exponential,
            Elementwise::Silu => ActivationFunction::Silu,
            Elementwise::Gelu => ActivationFunction::Gelu,
            Elementwise::GeluTanh => ActivationFunction::GeluTanh,
            Elementwise::Mish => ActivationFunction::Mish,
        };
        Ok(activations.function(x, function))
    }

    /// An output of the model, with its function.
    fn output(&mut self, head: &Head, name: &str) -> Value {
        let (value, _) = self.read(head.value, Way::Floats);
        let row = self.one_row(&value, name);
        let mut activations = Activations { builder: &mut self.builder, layer: name };
        let y = match head.function {
            OutputFunction::Linear => row,
            OutputFunction::Softmax => activations.function(&row, ActivationFunction::Softmax),
            OutputFunction::Sigmoid => activations.function(&row, ActivationFunction::Sigmoid),
        };
        match head.shape.axes() {
            [_] => y,
            axes => {
                let axes: Vec<i64> = [-1].into_iter().chain(axes.iter().map(|axis| *axis as i64)).collect();
                self.reshape(&y, &axes, name, Layout::of(head.shape))
            }
        }
    }
}

fn refused(step: usize, what: &str) -> Error {
    Error::Model(format!(
        "has a layer, step {step} of its plan, {what}: `export_onnx` the model of floats, or use convolutions, dense layers, \
         poolings, sums and activation functions alone"
    ))
}

/// A kernel, (filters, rows, columns, channels) made (filters, channels, rows, columns).
fn turned(kernel: &Int8Weights, window: &Window2d, channels: usize) -> Vec<i8> {
    let places = window.size.0 * window.size.1;
    let filters = kernel.weights.chunks_exact(places * channels);
    let turn = |filter: &[i8]| {
        let channel = |channel: usize| filter[channel..].iter().step_by(channels).copied().collect::<Vec<i8>>();
        (0..channels).flat_map(channel).collect::<Vec<i8>>()
    };
    filters.flat_map(turn).collect()
}
