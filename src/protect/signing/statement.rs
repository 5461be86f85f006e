//! What a signature says of a file: its name and its digest, as [in-toto](https://in-toto.io) statements do.

use super::{SignedFile, Validity, sha256_hex};
use crate::error::TrustFault;
use serde::{Deserialize, Serialize};

pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// What a file is called that is signed by itself.
const ITSELF: &str = ".";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize, Serialize)]
struct Subject {
    name: String,
    digest: Digests,
}

#[derive(Deserialize, Serialize)]
struct Digests {
    sha256: String,
}

#[derive(Deserialize, Serialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
    /// Ours: programs that do not know it are to pass over it.
    #[serde(flatten)]
    validity: Validity,
}

#[derive(Deserialize, Serialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// The statement that a file of this name has this digest.
pub(super) fn write(name: &str, digest: &str, validity: Validity) -> Vec<u8> {
    let statement = Statement {
        kind: STATEMENT.into(),
        subject: vec![Subject { name: name.into(), digest: Digests { sha256: root(&[digest]) } }],
        predicate_type: PREDICATE.into(),
        predicate: Predicate {
            serialization: Serialization {
                method: "files".into(),
                hash_type: "sha256".into(),
                allow_symlinks: false,
                ignore_paths: Vec::new(),
            },
            resources: vec![Resource { name: ITSELF.into(), algorithm: "sha256".into(), digest: digest.into() }],
            validity,
        },
    };
    serde_json::to_vec(&statement).expect("a statement is plain data")
}

/// What a statement says of the file of this name and digest; it may be one of a folder that the file is in.
pub(super) fn read(payload: &[u8], name: &str, digest: &str) -> std::result::Result<SignedFile, TrustFault> {
    let other = |found: &str| TrustFault::OtherStatement { expected: PREDICATE, found: found.into() };
    let not_a_statement = |error: serde_json::Error| TrustFault::NotABundle(error.to_string());
    let Statement { kind, subject, predicate_type, predicate } =
        serde_json::from_slice(payload).map_err(not_a_statement)?;
    if kind != STATEMENT || predicate_type != PREDICATE {
        return Err(other(if kind == STATEMENT { &predicate_type } else { &kind }));
    }
    let Serialization { method, hash_type, .. } = &predicate.serialization;
    if method != "files" || hash_type != "sha256" {
        return Err(other(&format!("{method} by {hash_type}, where files by sha256 are read")));
    }
    let digests: Vec<&str> = predicate.resources.iter().map(|resource| &resource.digest[..]).collect();
    let [subject] = &subject[..] else { return Err(other("several models")) };
    if subject.digest.sha256 != root(&digests) {
        return Err(other("a digest that is not that of its files"));
    }
    let is_this = |resource: &&Resource| resource.name == name || (resource.name == ITSELF && digests.len() == 1);
    let Some(resource) = predicate.resources.iter().find(is_this) else {
        return Err(other(&format!("a folder without `{name}`")));
    };
    if resource.algorithm != "sha256" || resource.digest != digest {
        return Err(TrustFault::OtherFile { expected: resource.digest.clone(), found: digest.into() });
    }
    // Otherwise any file of the same signer could be put in another one's place.
    if resource.name == ITSELF && subject.name != name {
        return Err(TrustFault::OtherName { expected: subject.name.clone(), found: name.into() });
    }
    predicate.validity.check()?;
    Ok(SignedFile { name: subject.name.clone(), digest: digest.into(), validity: predicate.validity })
}

/// The digest of digests.
fn root(digests: &[&str]) -> String {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| bytes(digest)).collect();
    sha256_hex(&bytes)
}

/// The bytes of hexadecimal digits; nothing where they are none, which no digest is the digest of.
fn bytes(digits: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    digits.as_bytes().as_chunks().0.iter().map_while(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
