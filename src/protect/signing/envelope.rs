//! A text and its signature, as [DSSE](https://github.com/secure-systems-lab/dsse) says, in a Sigstore bundle with a bare
//! key: the form of OpenSSF Model Signing.

use super::keys::{SigningKey, TrustedKeys, hint};
use crate::error::TrustFault;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::{Signer, Verifier};
use serde::{Deserialize, Serialize};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    /// Bundles by certificates have none.
    public_key: Option<Key>,
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Deserialize, Serialize)]
struct Key {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Deserialize, Serialize)]
struct Signed {
    sig: String,
    #[serde(default)]
    keyid: String,
}

/// Signs a text of this type.
pub(super) fn sign(payload: &[u8], payload_type: &str, key: &SigningKey) -> Vec<u8> {
    let signature: Signature = key.0.sign(&to_be_signed(payload, payload_type));
    let signed = Signed { sig: BASE64_STANDARD.encode(signature.to_der()), keyid: String::new() };
    let bundle = Bundle {
        media_type: MEDIA_TYPE.into(),
        verification_material: Material {
            public_key: Some(Key { hint: Some(hint(key.0.verifying_key())) }),
            tlog_entries: Vec::new(),
        },
        dsse_envelope: Envelope {
            payload: BASE64_STANDARD.encode(payload),
            payload_type: payload_type.into(),
            signatures: vec![signed],
        },
    };
    let mut text = serde_json::to_vec(&bundle).expect("a bundle is plain data");
    text.push(b'\n');
    text
}

/// The text of a bundle that one of these keys has signed. Nothing of it is looked at before.
///
/// # Errors
/// What is wrong with it.
pub(super) fn open(
    bundle: &[u8],
    payload_type: &'static str,
    trusted: &TrustedKeys,
) -> std::result::Result<Vec<u8>, TrustFault> {
    let not_a_bundle = |error: &dyn std::fmt::Display| TrustFault::NotABundle(error.to_string());
    let bundle: Bundle = serde_json::from_slice(bundle).map_err(|error| not_a_bundle(&error))?;
    if bundle.media_type != MEDIA_TYPE {
        return Err(not_a_bundle(&format_args!("the media type `{}`", bundle.media_type)));
    }
    let Some(named) = bundle.verification_material.public_key else {
        return Err(not_a_bundle(&"one with a certificate"));
    };
    let Envelope { payload, payload_type: found, signatures } = bundle.dsse_envelope;
    let [signed] = &signatures[..] else {
        return Err(not_a_bundle(&format_args!("one with {} signatures", signatures.len())));
    };
    let bytes = |text: &str| BASE64_STANDARD.decode(text).map_err(|error| not_a_bundle(&error));
    let (payload, signature) = (bytes(&payload)?, bytes(&signed.sig)?);
    let signature = Signature::from_der(&signature).map_err(|error| not_a_bundle(&error))?;
    let keys: Vec<_> = match &named.hint {
        Some(name) => trusted.0.iter().filter(|key| hint(key) == *name).collect(),
        None => trusted.0.iter().collect(),
    };
    if keys.is_empty() {
        let name = named.hint.map(|name| format!(": its digest is {}", name.chars().take(64).collect::<String>()));
        return Err(TrustFault::OtherKey(name.unwrap_or_default()));
    }
    let signed = to_be_signed(&payload, &found);
    if !keys.iter().any(|key| key.verify(&signed, &signature).is_ok()) {
        return Err(TrustFault::BadSignature);
    }
    if found != payload_type {
        return Err(TrustFault::OtherStatement { expected: payload_type, found });
    }
    Ok(payload)
}

/// The bytes that are signed: the text with its type and the lengths of both.
fn to_be_signed(payload: &[u8], payload_type: &str) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
