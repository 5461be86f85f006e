//! Decides what `fit` says before it trains: what is no error, but makes trainings slow or bad.

use crate::data::{OrderedExamples, OrderedTargets, Stored};
use crate::plan::Plan;

/// How many images are looked at.
const LOOKED_AT: usize = 100;
/// How many classes are named.
const NAMED: usize = 10;

/// What there is to say of a training of these examples, of which all from `trained` on are held back.
pub(super) fn notes(plan: &Plan, examples: &OrderedExamples<'_>, trained: usize) -> impl Iterator<Item = String> {
    [unoptimised(), bytes_as_floats(plan, examples), sorted_by_class(examples, trained)].into_iter().flatten()
}

/// Debug assertions stand for a build without optimisation: nothing tells that itself, and Cargo's profiles switch both
/// together.
pub(super) fn unoptimised() -> Option<String> {
    cfg!(debug_assertions).then(|| {
        "Note: inkstone is compiled for debugging, where training can take 100 times as long. Run with --release, or put \
         [profile.dev.package.\"*\"] with opt-level = 3 and debug-assertions = false into Cargo.toml."
            .to_owned()
    })
}

/// Images whose floats are bytes: whole numbers up to 255, which nobody has scaled.
fn bytes_as_floats(plan: &Plan, examples: &OrderedExamples<'_>) -> Option<String> {
    let (height, width, _) = plan.input().as_image();
    let [images] = examples.images.as_slice() else { return None };
    let pixels = images.pixels();
    let (Stored::Floats(floats), None) = (pixels.stored, pixels.scaling) else { return None };
    // Rows of a few features may well be counts.
    if height == 1 || width == 1 {
        return None;
    }
    let floats = &floats[..floats.len().min(LOOKED_AT * plan.input_len(0))];
    let is_byte = |value: &f32| (0.0..=255.0).contains(value) && value.fract() == 0.0;
    (floats.iter().all(is_byte) && floats.iter().any(|value| *value > 2.0)).then(|| {
        "Note: the images are whole numbers up to 255 as floats, which are not scaled: divide them by 255, or give them as \
         bytes (u8), which the model scales."
            .to_owned()
    })
}

/// Classes that only one part of a validation split has, as of data that are sorted by class.
fn sorted_by_class(examples: &OrderedExamples<'_>, trained: usize) -> Option<String> {
    let [OrderedTargets::Classes(classes)] = examples.targets.as_slice() else { return None };
    let (training, held_back) = classes.split_at(trained.min(classes.len()));
    if held_back.is_empty() {
        return None;
    }
    let count = classes.iter().max()? + 1;
    let present = |part: &[usize]| {
        let mut present = vec![false; count];
        part.iter().for_each(|class| present[*class] = true);
        present
    };
    let (in_training, in_held_back) = (present(training), present(held_back));
    let lacking = |part: &[bool], other: &[bool]| {
        let classes: Vec<String> =
            (0..count).filter(|class| other[*class] && !part[*class]).map(|class| class.to_string()).collect();
        let more = if classes.len() > NAMED { " and others" } else { "" };
        let named = &classes[..classes.len().min(NAMED)];
        let noun = if classes.len() == 1 { "class" } else { "classes" };
        (!named.is_empty()).then(|| format!("{noun} {}{more}", named.join(", ")))
    };
    let lines = [
        lacking(&in_training, &in_held_back).map(|classes| format!("is trained on no example of {classes}")),
        lacking(&in_held_back, &in_training).map(|classes| format!("is validated on none of {classes}")),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    (!lines.is_empty()).then(|| {
        format!(
            "Note: the validation split takes the last {} examples, so that the model {}. If the data are sorted, \
             shuffle them first.",
            held_back.len(),
            lines.join(", and ")
        )
    })
}
