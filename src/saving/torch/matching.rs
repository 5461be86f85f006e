//! Decides which of a file's modules each of a model's is: those that a map names, and of the others the one that has
//! the same tensors. Where several have, the numbers in their names must tell their order: nothing is guessed.

use super::found::{Found, compare};
use super::modules::Module;
use super::tensor::Tensor;
use crate::error::ModelFault;
use crate::saving::floats::FLOATS;
use crate::saving::weights::Tensors;
use safetensors::tensor::TensorInfo;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The names and shapes of a module's tensors, in the order of the names.
type Signature<'a> = Vec<(&'a str, &'a [usize])>;

/// For each module of the model its place among those of the file.
///
/// - mapped: for each module of the model the name of the file's, if a map has one
pub(super) fn assign(
    modules: &[Module],
    found: &[Found],
    tensors: &Tensors,
    mapped: &[Option<&str>],
) -> Result<Vec<usize>, ModelFault> {
    let mut assigned: Vec<Option<usize>> =
        mapped.iter().map(|name| name.and_then(|name| found.iter().position(|found| found.name == name))).collect();
    let is_mapped: Vec<bool> = assigned.iter().map(Option::is_some).collect();
    let mut is_taken = vec![false; found.len()];
    assigned.iter().flatten().for_each(|place| is_taken[*place] = true);
    // Those alike, ours and the file's.
    let mut alike: BTreeMap<Signature<'_>, [Vec<usize>; 2]> = BTreeMap::new();
    for (index, module) in modules.iter().enumerate().filter(|(index, _)| mapped[*index].is_none()) {
        alike.entry(of_ours(module)).or_default()[0].push(index);
    }
    for (index, found) in found.iter().enumerate().filter(|(index, _)| !is_taken[*index]) {
        if let Some([_, places]) = alike.get_mut(&of_file(found, tensors)) {
            places.push(index);
        }
    }
    let mut unclear = None;
    for [ours, theirs] in alike.values_mut() {
        let is_clear = sort(theirs, found);
        for (index, place) in ours.iter().zip(&*theirs) {
            assigned[*index] = Some(*place);
            is_taken[*place] = true;
        }
        if !is_clear && unclear.is_none() {
            unclear = Some(ModelFault::TorchModules {
                layers: ours.iter().map(|index| modules[*index].name.clone()).collect(),
                modules: theirs.iter().map(|place| found[*place].name.clone()).collect(),
            });
        }
    }
    Lists::new(modules, found, tensors, (assigned.clone(), is_taken), mapped).into_result()?;
    if let Some(fault) = unclear {
        return Err(fault);
    }
    let assigned: Vec<usize> = assigned.into_iter().flatten().collect();
    check_order(modules, found, &assigned, &is_mapped)?;
    Ok(assigned)
}

fn of_ours(module: &Module) -> Signature<'_> {
    let mut all: Vec<_> = module.tensors.iter().map(|tensor| (&*tensor.name, &*tensor.shape)).collect();
    all.sort_unstable();
    all
}

fn of_file<'a>(found: &'a Found, tensors: &'a Tensors) -> Signature<'a> {
    found.tensors.iter().map(|(name, in_file)| (&**name, &*tensors[in_file].shape)).collect()
}

/// Sorts modules by the numbers in their names; whether those tell the order of all.
fn sort(places: &mut [usize], found: &[Found]) -> bool {
    let of = |a: usize, b: usize| compare(&found[a].name, &found[b].name);
    let is_clear = places.iter().enumerate().all(|(index, a)| places[..index].iter().all(|b| of(*a, *b).is_some()));
    if is_clear {
        places.sort_by(|a, b| of(*a, *b).unwrap_or(Ordering::Equal));
    }
    is_clear
}

/// Checks that what was matched by shapes is in the order that numbers tell, if they tell any.
fn check_order(modules: &[Module], found: &[Found], assigned: &[usize], is_mapped: &[bool]) -> Result<(), ModelFault> {
    for later in 0..assigned.len() {
        for earlier in 0..later {
            let [first, second] = [earlier, later].map(|index| &found[assigned[index]].name);
            let is_turned = compare(first, second) == Some(Ordering::Greater);
            if is_turned && !(is_mapped[earlier] && is_mapped[later]) {
                return Err(ModelFault::TorchModules {
                    layers: [earlier, later].map(|index| modules[index].name.clone()).to_vec(),
                    modules: vec![second.clone(), first.clone()],
                });
            }
        }
    }
    Ok(())
}

/// What does not fit.
#[derive(Default)]
struct Lists {
    missing: Vec<String>,
    extra: Vec<String>,
    different: Vec<String>,
}

impl Lists {
    fn new(
        modules: &[Module],
        found: &[Found],
        tensors: &Tensors,
        (assigned, is_taken): (Vec<Option<usize>>, Vec<bool>),
        mapped: &[Option<&str>],
    ) -> Self {
        let mut lists = Self::default();
        let mut left: Vec<usize> = (0..found.len()).filter(|place| !is_taken[*place]).collect();
        left.sort_by(|a, b| compare(&found[*a].name, &found[*b].name).unwrap_or(a.cmp(b)));
        for (index, module) in modules.iter().enumerate() {
            // The next that has a tensor in common is probably meant.
            let meant = assigned[index].or_else(|| {
                let likely =
                    |place: &usize| module.tensors.iter().any(|one| found[*place].tensors.contains_key(&one.name));
                let place = if mapped[index].is_none() { left.iter().position(likely) } else { None };
                place.map(|place| left.remove(place))
            });
            match meant {
                Some(place) => lists.compare(module, &found[place], tensors),
                None => {
                    let meant = mapped[index].map(|name| format!(", {name} in the map")).unwrap_or_default();
                    let line = |tensor: &Tensor| format!("{}.{} {:?}{meant}", module.name, tensor.name, tensor.shape);
                    lists.missing.extend(module.tensors.iter().map(line));
                }
            }
        }
        for place in left {
            lists.extra.extend(found[place].tensors.values().map(|name| line_of(name, &tensors[name])));
        }
        lists
    }

    fn compare(&mut self, module: &Module, found: &Found, tensors: &Tensors) {
        for Tensor { name, shape, .. } in &module.tensors {
            let ours = &module.name;
            let Some(in_file) = found.tensors.get(name) else {
                self.missing.push(format!("{ours}.{name} {shape:?}, in {:?}", found.name));
                continue;
            };
            let tensor = &tensors[in_file];
            if tensor.shape != *shape || !FLOATS.contains(&tensor.dtype) {
                let dtypes: Vec<String> = FLOATS.iter().map(ToString::to_string).collect();
                let expected = dtypes.join(" or ");
                self.different
                    .push(format!("{ours}.{name} is {}, expected {expected} {shape:?}", line_of(in_file, tensor)));
            }
        }
        for (name, in_file) in &found.tensors {
            if module.tensors.iter().all(|tensor| tensor.name != *name) {
                self.extra.push(format!("{}, beside those of {}", line_of(in_file, &tensors[in_file]), module.name));
            }
        }
    }

    fn into_result(self) -> Result<(), ModelFault> {
        let Self { missing, extra, different } = self;
        if missing.is_empty() && extra.is_empty() && different.is_empty() {
            return Ok(());
        }
        Err(ModelFault::Weights { missing, extra, different })
    }
}

fn line_of(name: &str, tensor: &TensorInfo) -> String {
    format!("{name} {} {:?}", tensor.dtype, tensor.shape)
}
