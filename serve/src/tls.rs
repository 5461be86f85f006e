//! TLS: certificates, and the cryptography of Rust alone.

use crate::fault::Start;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// # Errors
/// [`Start::Tls`] if the files are no certificates and key, or do not belong together.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Start> {
    if let Some(missing) = missing_instruction() {
        let problem = format!(
            "TLS needs a processor with the instructions {missing}: put a proxy that speaks TLS before the server"
        );
        return Err(Start::Tls(certificate.to_owned(), problem));
    }
    let fault = |path: &Path, problem: &dyn std::fmt::Display| Start::Tls(path.to_owned(), problem.to_string());
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| fault(certificate, &format_args!("expected certificates as PEM ({error})")))?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| fault(key, &format_args!("expected a secret key as PEM ({error})")))?;
    let provider = Arc::new(rustls_graviola::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault(certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(certificates, secret)
        .map_err(|error| fault(key, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// One of the instructions that the cryptography needs and this processor has not.
#[cfg(target_arch = "x86_64")]
fn missing_instruction() -> Option<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let needed = [
        ("AES", has!("aes")),
        ("SSSE3", has!("ssse3")),
        ("AVX2", has!("avx2")),
        ("ADX", has!("adx")),
        ("BMI2", has!("bmi2")),
        ("PCLMULQDQ", has!("pclmulqdq")),
    ];
    needed.into_iter().find_map(|(name, has)| (!has).then_some(name))
}

/// One of the instructions that the cryptography needs and this processor has not.
#[cfg(target_arch = "aarch64")]
fn missing_instruction() -> Option<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let needed = [("AES", has!("aes")), ("PMULL", has!("pmull")), ("SHA2", has!("sha2")), ("NEON", has!("neon"))];
    needed.into_iter().find_map(|(name, has)| (!has).then_some(name))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn missing_instruction() -> Option<&'static str> {
    None
}
