//! What is inside of a model file, for tests that change it.

use serde_json::{Value, json};

/// The entry of the metadata.
pub(crate) fn entry(bytes: &[u8]) -> Value {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()["inkstone"]).unwrap()
}

/// The file with another entry, whose checksum is right again.
pub(crate) fn with_entry(bytes: &[u8], mut entry: Value) -> Vec<u8> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sum = crc32fast::Hasher::new();
    for text in ["model", "training", "quantized"] {
        sum.update(entry.get(text).map_or(String::new(), Value::to_string).as_bytes());
    }
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    entry["crc32"] = json!(format!("{:08x}", sum.finalize()));
    let metadata = [("inkstone".to_owned(), entry.to_string())].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}

/// The file with an input of another shape, whose checksum is right again.
#[allow(dead_code, reason = "few tests do that")]
pub(crate) fn with_input(bytes: &[u8], [height, width, channels]: [usize; 3]) -> Vec<u8> {
    let mut entry = entry(bytes);
    entry["model"]["network"]["inputs"] = json!([[height, width, channels]]);
    with_entry(bytes, entry)
}
