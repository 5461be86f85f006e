//! Decides which ONNX operators tokens and masks become: what makes vectors of tokens, what finds masks, and what reads
//! them. A mask is (N, steps, 1) here, so
//! that a sequence can be multiplied by it.

use super::graph::{Builder, Layout, Operator, Value, weight};
use super::layers::Call;
use super::message::{Attribute, Tensor};
use crate::layers::{Embedding, Layer, Masking};
use crate::program::MaskRule;

const SEQUENCE: Layout = Layout::Plain { rank: 2 };

/// ONNX' numbers of types.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

impl Call<'_> {
    /// The row of a table for each token. Tokens come in as floats, as all inputs do.
    pub(super) fn look_up(self, x: &Value, embedding: &Embedding) -> Value {
        let table = self.builder.weight_value(weight(self.weights[0]));
        let mut node = |part: &str, operator: Operator, reads: &[&Value]| {
            self.builder.push(format!("{}/{part}", self.name), operator, reads, x.layout)
        };
        let tokens = node("tokens", cast(INT64), &[x]);
        if embedding.mask_zero {
            let zero = Tensor::of_floats(&format!("{}/zero", self.name), &[0.0]);
            let is_zero = node("is_zero", Operator::new("Equal").with_weights([zero]), &[x]);
            let counts = node("counts", Operator::new("Not"), &[&is_zero]);
            let counts = node("counts_floats", cast(FLOAT), &[&counts]);
            let steps = self.output.axes()[0] as i64;
            let shape = Tensor::of_integers(&format!("{}/mask_shape", self.name), &[0, steps, 1]);
            let mask = node("mask", Operator::new("Reshape").with_weights([shape]), &[&counts]);
            self.builder.made_mask = Some(mask.laid_out(SEQUENCE));
        }
        self.builder.push(self.name, Operator::new("Gather"), &[&table, &tokens], SEQUENCE)
    }

    /// A sequence with zeros in masked steps, which all have a certain value. Makes the mask.
    pub(super) fn mask_steps(self, x: &Value, masking: &Masking) -> Value {
        let equals = |part: &str, value: f32| {
            let value = Tensor::of_floats(&format!("{}/{part}", self.name), &[value]);
            Operator::new("Equal").with_weights([value])
        };
        let (is_value, is_zero) = (equals("mask_value", masking.mask_value), equals("zero", 0.0));
        let all = Operator::new("ReduceMin").with_attributes([Attribute::integers("axes", &[2])]);
        let mut node = |part: &str, operator: Operator, read: &Value| {
            self.builder.push(format!("{}/{part}", self.name), operator, &[read], SEQUENCE)
        };
        let equal = node("equal", is_value, x);
        let equal = node("equal_floats", cast(FLOAT), &equal);
        let masked = node("masked", all, &equal);
        let counts = node("counts", is_zero, &masked);
        let mask = node("mask", cast(FLOAT), &counts);
        let y = self.builder.push(self.name, Operator::new("Mul"), &[x, &mask], SEQUENCE);
        self.builder.made_mask = Some(mask);
        y
    }

    /// The mean over the steps that count: zeros where none does.
    pub(super) fn masked_mean(self, x: &Value, mask: &Value) -> Value {
        let (name, axes) = (self.name.clone(), Tensor::of_integers(&format!("{}/axes", self.name), &[1]));
        let sum = || Operator::new("ReduceSum").with_weights([axes.clone()]);
        let mut node = |part: &str, operator: Operator, reads: &[&Value]| {
            self.builder.push(format!("{name}/{part}"), operator, reads, SEQUENCE)
        };
        let counted = node("counted", Operator::new("Mul"), &[x, mask]);
        let total = node("sum", sum(), &[&counted]);
        let count = node("count", sum(), &[mask]);
        let one = Tensor::of_floats(&format!("{name}/one"), &[1.0]);
        let count = node("divisor", Operator::new("Max").with_weights([one]), &[&count]);
        let y = node("mean", Operator::new("Div"), &[&total, &count]);
        self.one_step(&y)
    }
}

fn cast(to: i64) -> Operator {
    Operator::new("Cast").with_attributes([Attribute::int("to", to)])
}

/// The mask of a layer's output.
///
/// - reads: that of each input
pub(super) fn mask_by(builder: &mut Builder, layer: &Layer, name: &str, reads: &[Option<Value>]) -> Option<Value> {
    match layer.describe().mask_rule() {
        MaskRule::Ends => None,
        MaskRule::Passes => reads[0].clone(),
        MaskRule::Makes => builder.made_mask.take(),
        MaskRule::Merges => {
            let reads: Vec<&Value> = reads.iter().map(Option::as_ref).collect::<Option<_>>()?;
            Some(builder.push(format!("{name}/mask"), Operator::new("Max"), &reads, SEQUENCE))
        }
    }
}
