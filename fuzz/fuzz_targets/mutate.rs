//! Mutates descriptions as what they are: numbers become others, lists grow and shrink, and parts move from one
//! description to another, to where a part has the same name. Mutated byte by byte hardly any text remains JSON.

use serde_json::{Number, Value, json};

/// Where parts are taken from.
const DONORS: [&str; 4] = [
    include_str!("../seeds/model/network-images"),
    include_str!("../seeds/model/network-sequences"),
    include_str!("../seeds/model/network-graph"),
    include_str!("../seeds/model/training"),
];

const WHOLE: [u64; 14] = [0, 1, 2, 3, 4, 5, 7, 8, 16, 1 << 14, 1 << 28, 1 << 32, 1 << 53, u64::MAX];
const NEGATIVE: [i64; 4] = [-1, -2, -3, i64::MIN];
const FRACTIONS: [f64; 5] = [0.5, 1e-7, -0.25, -1e30, 3e38];

/// A mutated text, if this is JSON.
pub(crate) fn mutate(text: &[u8], seed: u32) -> Option<String> {
    let mut document: Value = serde_json::from_slice(text).ok()?;
    let mut random = Random(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for _ in 0..=random.below(3) {
        change(&mut document, &mut random);
    }
    Some(document.to_string())
}

fn change(document: &mut Value, random: &mut Random) {
    let own = paths(document);
    let path = &own[random.below(own.len())];
    let donor: Value = match random.below(2 * DONORS.len()) {
        index if index < DONORS.len() => serde_json::from_str(DONORS[index]).expect("the seeds are JSON"),
        _ => document.clone(),
    };
    let same_name = |other: &&String| name(other) == name(path);
    let others = paths(&donor);
    let others: Vec<&String> = others.iter().filter(same_name).collect();
    let other = (!others.is_empty()).then(|| donor.pointer(others[random.below(others.len())])).flatten().cloned();
    let place = document.pointer_mut(path).expect("the path was found there");
    match (place, random.below(4)) {
        (Value::Number(number), 0 | 1) => *number = another(number, random),
        (Value::Bool(flag), 0 | 1) => *flag = !*flag,
        (Value::Array(list), 0) if !list.is_empty() => drop(list.remove(random.below(list.len()))),
        (Value::Array(list), 1) if !list.is_empty() => {
            let again = list[random.below(list.len())].clone();
            list.insert(random.below(list.len() + 1), again);
        }
        (Value::Array(list), 2) => {
            let Some(Value::Array(others)) = other else { return };
            if !others.is_empty() {
                let added = others[random.below(others.len())].clone();
                list.insert(random.below(list.len() + 1), added);
            }
        }
        (place, 3) if random.below(8) == 0 => *place = Value::Null,
        (place, _) => {
            if let Some(other) = other {
                *place = other;
            }
        }
    }
}

fn another(number: &Number, random: &mut Random) -> Number {
    let other = match (random.below(8), number.as_i64()) {
        (0, _) => json!(FRACTIONS[random.below(FRACTIONS.len())]),
        (1, _) => json!(NEGATIVE[random.below(NEGATIVE.len())]),
        (2 | 3, Some(number)) => json!(number.wrapping_add(random.below(5) as i64 - 2)),
        _ => json!(WHOLE[random.below(WHOLE.len())]),
    };
    other.as_number().cloned().unwrap_or_else(|| number.clone())
}

/// The last name of a path that is no number: what stands in one list has the list's.
fn name(path: &str) -> &str {
    path.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default()
}

/// Where everything in a document is.
fn paths(document: &Value) -> Vec<String> {
    let mut waiting = vec![(String::new(), document)];
    let mut found = Vec::new();
    while let Some((path, value)) = waiting.pop() {
        match value {
            Value::Array(list) => {
                waiting.extend(list.iter().enumerate().map(|(index, value)| (format!("{path}/{index}"), value)));
            }
            Value::Object(map) => {
                let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
                waiting.extend(map.iter().map(|(key, value)| (format!("{path}/{}", escaped(key)), value)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        found.push(path);
    }
    found
}

/// Xorshift: as libFuzzer gives a seed, the same cases come again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
