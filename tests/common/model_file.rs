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
    for text in ["model", "training"] {
        sum.update(entry.get(text).map_or(String::new(), Value::to_string).as_bytes());
    }
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    entry["crc32"] = json!(format!("{:08x}", sum.finalize()));
    let metadata = [("inkstone".to_owned(), entry.to_string())].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}

/// Puts an unknown field into every object of a value, one after the other.
pub(crate) fn with_unknown(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("unknown".into(), json!(1));
            found.push(Value::Object(more));
            for (name, field) in fields {
                let mut inner = Vec::new();
                with_unknown(field, &mut inner);
                found.extend(inner.into_iter().map(|field| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), field);
                    Value::Object(fields)
                }));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let mut inner = Vec::new();
                with_unknown(item, &mut inner);
                found.extend(inner.into_iter().map(|item| {
                    let mut items = items.clone();
                    items[index] = item;
                    Value::Array(items)
                }));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
