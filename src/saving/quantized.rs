//! Saves and loads quantized models.
//!
//! The entry `quantized` has the network, how outputs become a class, how tokens are made of texts, if at all, and how
//! long the values of its plan are, by which a reader tells whether it makes the same plan. Tensors: `values/ranges`
//! (values, 2), the bounds of each value; for each step on bytes, under its number and its kernel's name, the kernel,
//! (filters, window) as `I8`, and `scales` and `biases`; and the weights that steps on floats read, as a model's file
//! has them.

use super::format::ENTRY;
use super::read::{At, description, envelope};
use super::weights::{Stored, Tensors, Wanted, check, decode_finite};
use super::write::{Texts, check_finite, file};
use super::{LoadLimits, LoadOptions, floats, open};
use crate::aligned::AlignedBuffer;
use crate::data::TextVectorization;
use crate::error::{Error, ModelFault, Result};
use crate::layers::Network;
use crate::model::{Weight, named, store};
use crate::plan::{self, ConvStep, Outline, Parameter, Plan};
use crate::quantized::{Forms, Int8Weights, Parts, Program, QuantizedPredictor, Range, Way, parameters_read};
use crate::train::Decision;
use crate::whole_file::write_whole;
use ndarray::{Array1, Array2};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::value::to_raw_value;
use std::borrow::Cow;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The tensor of the values' bounds.
const RANGES: &str = "values/ranges";

/// All of a quantized model but its tensors.
#[derive(Serialize, Deserialize)]
struct Quantized<'a> {
    network: Cow<'a, Network>,
    decision: Decision,
    /// How long each value of the plan is.
    values: Cow<'a, [usize]>,
    /// How tokens are made of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text_vectorization: Option<Cow<'a, TextVectorization>>,
}

/// Saving and loading. The file is a [safetensors](https://huggingface.co/docs/safetensors) file as
/// [`Model::save`](crate::Model::save) writes it, with kernels as `I8`: a quarter of the size. It is replaced
/// atomically, and loading trusts nothing in it.
impl QuantizedPredictor {
    /// Saves the model.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file cannot be written, [`Error::Model`] if a weight of a layer that runs on floats
    /// is NaN or infinite, or the model has more layers than a file can describe. An existing file is then left as it
    /// was.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let folder = tempfile::tempdir().unwrap().keep();
    /// let model = Sequential::new([400])
    ///     .add(Dense::new(200).activation(Relu))
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let quantized = model.quantize(&[[0.0; 400], [1.0; 400]])?;
    /// quantized.save(folder.join("quantized.safetensors"))?;
    /// let loaded = QuantizedPredictor::load(folder.join("quantized.safetensors"))?;
    /// assert_eq!(loaded.predict(&[[0.5; 400]])?, quantized.predict(&[[0.5; 400]])?);
    /// assert!(quantized.to_bytes()?.len() * 10 < model.to_bytes()?.len() * 3);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = self.to_bytes()?;
        write_whole(path.as_ref(), |file| file.write_all(&bytes))
    }

    /// The bytes that [`save`](Self::save) would write.
    ///
    /// # Errors
    /// [`Error::Model`] as [`save`](Self::save).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let Parts { network, decision, text: _, ranges, kernels, program } = &*self.parts;
        let plan = &program.plan;
        let mut floats = named(parameters_read(plan, &program.forms), &program.weights.flat);
        let bounds = ranges.iter().flat_map(|range| [range.low, range.high]).collect();
        let bounds = Array2::from_shape_vec((ranges.len(), 2), bounds).expect("two bounds for each value");
        floats.push(Weight { name: RANGES.into(), values: bounds.into_dyn() });
        let mut tensors = Vec::new();
        for (index, kernel) in kernels.iter().enumerate() {
            let (Some(conv), Some(kernel)) = (plan.steps[index].step.conv(), kernel) else { continue };
            let Names { kernel: name, scales, biases } = Names::new(plan, index, conv);
            let row = |name, values: &Vec<f32>| Weight { name, values: Array1::from_vec(values.clone()).into_dyn() };
            floats.extend([row(scales, &kernel.scales), row(biases, &kernel.biases)]);
            let shape = [conv.layout.filters, conv.layout.window_len()];
            tensors.push(Stored::Bytes { name, shape, values: kernel.weights.clone() });
        }
        check_finite(&floats)?;
        tensors.extend(floats.into_iter().map(Stored::Floats));
        let (network, values) = (Cow::Borrowed(network), Cow::Borrowed(&plan.lengths[..]));
        let text_vectorization = self.text_vectorization().map(Cow::Borrowed);
        let quantized = Quantized { network, decision: *decision, values, text_vectorization };
        let quantized = to_raw_value(&quantized).expect("a description is plain data");
        file(tensors, Texts { quantized: Some(quantized), ..Texts::default() })
    }

    /// Loads what [`save`](Self::save) wrote: it predicts the same bits.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is not a complete, valid file of a
    /// quantized model, or its model exceeds the default [`LoadLimits`], or has layers of a user's own types, which
    /// [`load_with`](Self::load_with) takes.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, LoadLimits::new())
    }

    /// Like [`load`](Self::load), with limits other than the default, or with types of your own.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, options: impl Into<LoadOptions>) -> Result<Self> {
        let path = path.as_ref();
        let (file, len) = open(path)?;
        read(file, At { place: &path.display().to_string(), len }, &options.into())
    }

    /// Loads a quantized model from the bytes of a file that [`save`](Self::save) wrote, such as those of
    /// `include_bytes!`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] as [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, LoadLimits::new())
    }

    /// Like [`from_bytes`](Self::from_bytes), with limits other than the default, or with types of your own.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_bytes_with(bytes: &[u8], options: impl Into<LoadOptions>) -> Result<Self> {
        read(bytes, At { place: "the bytes", len: bytes.len() as u64 }, &options.into())
    }
}

/// The names of a step's tensors.
struct Names {
    kernel: String,
    scales: String,
    biases: String,
}

impl Names {
    fn new(plan: &Plan, step: usize, conv: &ConvStep) -> Self {
        let is_kernel = |parameter: &&Parameter| parameter.range.contains(&conv.weights.start);
        let name = plan.parameters.all.iter().find(is_kernel).map_or("kernel", |parameter| &parameter.name);
        let kernel = format!("steps/{step}/{name}");
        Self { scales: format!("{kernel}/scales"), biases: format!("{kernel}/biases"), kernel }
    }
}

/// Everything that determines a size is checked before memory is allocated for it, as for a model.
fn read(mut source: impl Read, at: At<'_>, options: &LoadOptions) -> Result<QuantizedPredictor> {
    let header = at.header(&mut source)?;
    let fault = |fault| at.fault(fault);
    let envelope = envelope(&header).map_err(fault)?.ok_or(ModelFault::OtherOrigin).map_err(fault)?;
    let text = envelope.quantized.as_ref().ok_or(ModelFault::NotQuantized).map_err(fault)?;
    let Quantized { network, decision, values, text_vectorization } = description(text).map_err(fault)?;
    let LoadOptions { limits, custom_objects } = options;
    let mut network = network.into_owned();
    let resolved = custom_objects.resolve_layers(&mut network.layers);
    let resolved = resolved.map_err(|(index, problem)| format!("has a layer, number {index}, that {problem}"));
    resolved.map_err(|problem| at.fault(ModelFault::CustomObject(problem)))?;
    let impossible = |error: Error| at.fault(ModelFault::Description(error.to_string()));
    let Outline { shapes, .. } = Outline::new(&network).map_err(impossible)?;
    limits.check_layers(&network, &shapes).map_err(fault)?;
    let plan = Plan::new(&network, plan::Wanted::OfParameters).map_err(impossible)?;
    limits.check_plan(&plan, None).map_err(fault)?;
    let for_inference = plan.for_inference(&network).map_err(impossible)?;
    limits.check_plan(&plan, for_inference.as_ref()).map_err(fault)?;
    let plan = for_inference.unwrap_or(plan);
    check_plan(&plan, decision, &values).map_err(|problem| at.fault(ModelFault::Description(problem)))?;
    let forms = Forms::new(&plan);
    check(&wanted(&plan, &forms), &header.tensors, &[]).map_err(fault)?;
    let data = at.data(&header, Some(&envelope), source)?;
    let tensors = Decoder { tensors: &header.tensors, data: &data };
    let ranges = tensors.ranges().map_err(fault)?;
    let kernels = tensors.kernels(&plan, &forms).map_err(fault)?;
    let parameters: Vec<Parameter> = parameters_read(&plan, &forms).cloned().collect();
    let weights = decode_finite("", &parameters, &header.tensors, &data).map_err(fault)?;
    let mut flat = AlignedBuffer::zeroed(if parameters.is_empty() { 0 } else { plan.parameters.len });
    store(parameters.iter(), &weights, &mut flat);
    let program = Program::new(Arc::new(plan), &ranges, &kernels, &flat);
    let text = text_vectorization.map(|text| Arc::new(text.into_owned()));
    Ok(QuantizedPredictor::new(Parts { network, decision, text, ranges, kernels, program }))
}

/// Whether a file's numbers are for this plan, and its decision for this output.
fn check_plan(plan: &Plan, decision: Decision, values: &[usize]) -> std::result::Result<(), String> {
    if plan.lengths != values {
        return Err(format!(
            "the {ENTRY} that quantized it computes other values between the layers than this version: quantize the model again"
        ));
    }
    let outputs = (plan.heads.len(), plan.output_len(0));
    match (decision, outputs) {
        (Decision::Undecided(_), _) | (Decision::Highest, (1, _)) => Ok(()),
        (Decision::Probability | Decision::Logit, (1, 1)) => Ok(()),
        (Decision::Highest | Decision::Probability | Decision::Logit, (heads, len)) => Err(format!(
            "classes are decided by {decision:?}, which {heads} outputs, the first of {len} values, do not allow"
        )),
    }
}

/// The tensors of a quantized model.
fn wanted(plan: &Plan, forms: &Forms) -> Vec<Wanted> {
    let parameters: Vec<Parameter> = parameters_read(plan, forms).cloned().collect();
    let mut wanted = Wanted::all("", &parameters);
    wanted.push(Wanted::new(RANGES.into(), &[Dtype::F32], [plan.lengths.len(), 2]));
    for (index, conv) in convs(plan, forms) {
        let Names { kernel, scales, biases } = Names::new(plan, index, conv);
        wanted.push(Wanted::new(kernel, &[Dtype::I8], [conv.layout.filters, conv.layout.window_len()]));
        wanted.extend([scales, biases].map(|name| Wanted::new(name, &[Dtype::F32], [conv.layout.filters])));
    }
    wanted
}

/// The steps that run as convolutions of bytes, with their numbers.
fn convs<'a>(plan: &'a Plan, forms: &'a Forms) -> impl Iterator<Item = (usize, &'a ConvStep)> {
    let steps = plan.steps.iter().zip(&forms.ways).enumerate();
    steps.filter_map(|(index, (placed, way))| match way {
        Way::Conv(_) => placed.step.conv().map(|conv| (index, conv)),
        Way::MaxPool | Way::Copy | Way::Rescale | Way::Floats => None,
    })
}

/// Tensors that have been checked, by their names.
#[derive(Clone, Copy)]
struct Decoder<'a> {
    tensors: &'a Tensors,
    data: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn bytes(self, name: &str) -> &'a [u8] {
        let (start, end) = self.tensors[name].data_offsets;
        &self.data[start..end]
    }

    fn floats(self, name: &str) -> std::result::Result<Vec<f32>, ModelFault> {
        let values = floats::decode(Dtype::F32, self.bytes(name)).expect("the type is one of floats");
        match values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            None => Ok(values),
            Some((index, value)) => Err(ModelFault::NotFinite { name: name.to_owned(), index, value: *value }),
        }
    }

    fn ranges(self) -> std::result::Result<Vec<Range>, ModelFault> {
        let bounds = self.floats(RANGES)?;
        let ranges: Vec<Range> =
            bounds.as_chunks().0.iter().map(|[low, high]| Range { low: *low, high: *high }).collect();
        match ranges.iter().enumerate().find(|(_, range)| !range.is_sound()) {
            None => Ok(ranges),
            Some((index, Range { low, high })) => Err(ModelFault::Description(format!(
                "value {index} lies between {low} and {high} ({RANGES}): expected zero between finite bounds"
            ))),
        }
    }

    fn kernels(self, plan: &Plan, forms: &Forms) -> std::result::Result<Vec<Option<Int8Weights>>, ModelFault> {
        let mut kernels = vec![None; plan.steps.len()];
        for (index, conv) in convs(plan, forms) {
            let names = Names::new(plan, index, conv);
            let (scales, biases) = (self.floats(&names.scales)?, self.floats(&names.biases)?);
            if let Some((filter, scale)) = scales.iter().enumerate().find(|(_, scale)| **scale <= 0.0) {
                return Err(ModelFault::Description(format!(
                    "filter {filter} has the scale {scale} ({}): expected scales above zero",
                    names.scales
                )));
            }
            let weights = self.bytes(&names.kernel).iter().map(|byte| byte.cast_signed()).collect();
            kernels[index] = Some(Int8Weights { weights, scales, biases });
        }
        Ok(kernels)
    }
}
