//! File names with the numbers of an epoch in them, as Keras' callbacks take them:
//! `model-{epoch:02d}-{val_loss:.2f}.safetensors`.

use super::Logs;
use crate::error::{Error, Result};

/// The name with each `{name}` replaced by the value of that name: `epoch` and `batch`, counted from 1, or one of the
/// logs. Behind a colon may be Python's `d`, `0Nd`, `.Nf` or `.Ne`.
///
/// # Errors
/// [`Error::Callback`] for a name that there is not, or a format that is none of these.
pub(super) fn fill_in(template: &str, epoch: usize, batch: Option<usize>, logs: &Logs) -> Result<String> {
    let fault = |problem: String| Error::Callback(format!("the file name {template} {problem}"));
    let mut parts = template.split('{');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((field, rest)) = part.split_once('}') else {
            return Err(fault("has a { without a }".into()));
        };
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        let text = match (name, batch) {
            ("epoch", _) => whole(epoch + 1, format),
            ("batch", Some(batch)) => whole(batch + 1, format),
            _ => {
                let known = logs.get(name).ok_or_else(|| {
                    let names: Vec<&str> = logs.iter().map(|(name, _)| name).collect();
                    fault(format!("asks for {{{name}}}, there are epoch, {}", names.join(", ")))
                });
                fraction(known?, format)
            }
        };
        filled += &text.ok_or_else(|| {
            fault(format!(
                "formats {{{field}}}: expected {{epoch:02d}} for whole numbers, {{loss:.4f}} or {{loss:.2e}} for others"
            ))
        })?;
        filled += rest;
    }
    Ok(filled)
}

/// The most digits that a format may ask for.
const MAX_DIGITS: usize = 40;

/// A whole number in one of the formats `` (none), `d`, `4d`, `04d`.
fn whole(number: usize, format: &str) -> Option<String> {
    let width = format.strip_suffix('d').unwrap_or(format);
    match width {
        "" => Some(number.to_string()),
        _ => {
            let digits = width.parse().ok().filter(|digits| *digits <= MAX_DIGITS)?;
            Some(if width.starts_with('0') { format!("{number:0digits$}") } else { format!("{number:digits$}") })
        }
    }
}

/// A number in one of the formats `` (none), `.2f`, `.2e`.
fn fraction(number: f64, format: &str) -> Option<String> {
    if format.is_empty() {
        return Some(number.to_string());
    }
    let digits = |format: &str| format.parse::<usize>().ok().filter(|digits| *digits <= MAX_DIGITS);
    let format = format.strip_prefix('.')?;
    match (format.strip_suffix('f'), format.strip_suffix('e')) {
        (Some(fixed), _) => digits(fixed).map(|digits| format!("{number:.digits$}")),
        (None, Some(scientific)) => digits(scientific).map(|digits| format!("{number:.digits$e}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scores;

    fn logs() -> Logs {
        let mut logs = Logs::default();
        logs.add("val_", &Scores::new(0.12345, Vec::new()));
        logs
    }

    #[test]
    fn fields_are_filled_in_as_python_does() {
        let named = |template| fill_in(template, 4, Some(99), &logs()).unwrap();
        assert_eq!(named("plain.safetensors"), "plain.safetensors");
        assert_eq!(named("{epoch}-{epoch:02d}-{epoch:3d}-{batch:d}"), "5-05-  5-100");
        assert_eq!(named("m{val_loss:.2f}_{val_loss:.1e}_{val_loss}"), "m0.12_1.2e-1_0.12345");
    }

    #[test]
    fn what_cannot_be_filled_in_is_told() {
        let refusal = |template, batch| fill_in(template, 0, batch, &logs()).unwrap_err().to_string();
        assert_eq!(
            refusal("{accuracy}", None),
            "the file name {accuracy} asks for {accuracy}, there are epoch, val_loss"
        );
        assert_eq!(refusal("{batch}", None), "the file name {batch} asks for {batch}, there are epoch, val_loss");
        assert_eq!(refusal("a{epoch", None), "the file name a{epoch has a { without a }");
        for format in ["{epoch:.2f}", "{val_loss:2}", "{val_loss:.99999999999999999999f}", "{epoch:9999d}"] {
            assert!(refusal(format, None).contains("expected {epoch:02d} for whole numbers"), "{format}");
        }
    }
}
