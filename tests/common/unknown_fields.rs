//! Fields that nobody knows, for tests that they are refused.

use serde_json::{Value, json};

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
