//! Signatures and licences, as other programs make and check them too.

use inkstone::Model;
use inkstone::prelude::*;
use inkstone::protect::{Access, Identities, Licence, SigningKey, TrustedKeys, Validity, file_digest, sign_file};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

fn model(outputs: usize) -> Model {
    let described = Sequential::new([4]).add(Dense::new(outputs).activation(Softmax));
    described.seed(1).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap()
}

struct Signed {
    _folder: tempfile::TempDir,
    path: PathBuf,
    key: SigningKey,
    trusted: TrustedKeys,
}

impl Signed {
    fn new(validity: Validity) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model(3).save(&path).unwrap();
        let key = SigningKey::generate().unwrap();
        sign_file(&path, &key, validity).unwrap();
        let trusted = TrustedKeys::from_pem(&key.public_key_pem()).unwrap();
        Self { _folder: folder, path, key, trusted }
    }

    fn signature(&self) -> PathBuf {
        self.path.with_extension("safetensors.sig")
    }

    /// What loading says.
    fn said(&self) -> String {
        let error = Model::load_verified(&self.path, &self.trusted).expect_err("no error").to_string();
        error.strip_prefix(&format!("{}: ", self.signature().display())).unwrap_or(&error).to_owned()
    }
}

fn ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

#[test]
fn what_is_signed_loads_and_each_fault_is_refused_by_name() {
    let signed = Signed::new(Validity::forever());
    let loaded = Model::load_verified(&signed.path, &signed.trusted).unwrap();
    assert_eq!(loaded.get_weights(), model(3).get_weights());
    let (bytes, signature) = (fs::read(&signed.path).unwrap(), fs::read_to_string(signed.signature()).unwrap());

    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&signed.path, &changed).unwrap();
    assert!(signed.said().contains("it was changed after it was signed, or it is the signature of another file"));
    fs::write(&signed.path, &bytes).unwrap();

    // The signature of another model by the same key.
    let other = signed.path.with_file_name("other.safetensors");
    model(2).save(&other).unwrap();
    sign_file(&other, &signed.key, Validity::forever()).unwrap();
    fs::copy(other.with_extension("safetensors.sig"), signed.signature()).unwrap();
    assert!(signed.said().starts_with("the signature is of a file with the SHA-256 digest"));

    // Another model by the same key, with its own signature, in the place of this one.
    fs::copy(&other, &signed.path).unwrap();
    assert_eq!(
        signed.said(),
        "the signature is of a file called `other.safetensors`, this one is called `model.safetensors`: it was renamed after it was \
         signed, or another file was put in its place"
    );
    fs::write(&signed.path, &bytes).unwrap();

    // A statement that was changed, under a signature that was not.
    let envelope: serde_json::Value = serde_json::from_str(&signature).unwrap();
    let payload = envelope["dsseEnvelope"]["payload"].as_str().unwrap();
    fs::write(signed.signature(), signature.replace(payload, &payload.replacen('e', "f", 1))).unwrap();
    assert_eq!(signed.said(), "its signature does not fit what is signed: one of them was changed");

    for (text, expected) in [
        ("", "found something else (EOF while parsing"),
        ("{}", "found something else (missing field"),
        (&signature.replace("v0.3+json", "v0.9+json"), "found something else (the media type"),
        (&signature.replace("publicKey", "certificate"), "found something else (one with a certificate)"),
        (&signature.replace("application/vnd.in-toto+json", "text/plain"), "its signature does not fit what is signed"),
    ] {
        fs::write(signed.signature(), text).unwrap();
        assert!(signed.said().contains(expected), "{text}: {}", signed.said());
    }
    fs::write(signed.signature(), vec![b' '; 2 << 20]).unwrap();
    assert!(signed.said().contains("more than a mebibyte"));
    fs::remove_file(signed.signature()).unwrap();
    assert!(signed.said().contains("found no such file: sign the model, or load it without keys"));
}

#[test]
fn other_keys_are_refused_and_one_of_several_is_enough() {
    let signed = Signed::new(Validity::forever());
    let other = SigningKey::generate().unwrap();
    let both = format!("{}\n{}", other.public_key_pem(), signed.key.public_key_pem());
    let both = TrustedKeys::from_pem(&both).unwrap();
    assert_eq!(both.len(), 2);
    assert!(Model::load_verified(&signed.path, &both).is_ok());
    let others = TrustedKeys::from_pem(&other.public_key_pem()).unwrap();
    let error = Model::load_verified(&signed.path, &others).unwrap_err().to_string();
    assert!(error.contains("it was signed with another key than those that are trusted: its digest is "), "{error}");
    // Under the name of a trusted key.
    let trusted = TrustedKeys::from_pem(&signed.key.public_key_pem()).unwrap();
    let text = fs::read_to_string(signed.signature()).unwrap();
    sign_file(&signed.path, &other, Validity::forever()).unwrap();
    let hint = |text: &str| text.split("\"hint\":\"").nth(1).unwrap()[..64].to_owned();
    let forged = fs::read_to_string(signed.signature()).unwrap();
    fs::write(signed.signature(), forged.replace(&hint(&forged), &hint(&text))).unwrap();
    let error = Model::load_verified(&signed.path, &trusted).unwrap_err().to_string();
    assert!(error.ends_with("its signature does not fit what is signed: one of them was changed"), "{error}");
}

#[test]
fn signatures_end() {
    let expired = Signed::new(Validity::until(ago(2)));
    assert!(expired.said().starts_with("it is no longer valid: it expired at 2"), "{}", expired.said());
    let early = Signed::new(Validity::forever().from(SystemTime::now() + Duration::from_secs(3600)));
    assert!(early.said().starts_with("it is not valid yet: it is from 2"), "{}", early.said());
    let valid = Signed::new(Validity::until(SystemTime::now() + Duration::from_secs(3600)).from(ago(10)));
    assert!(Model::load_verified(&valid.path, &valid.trusted).is_ok());
}

#[test]
fn keys_go_through_files_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let key = SigningKey::generate().unwrap();
    key.save(path("key.pem")).unwrap();
    assert!(key.save(path("key.pem")).unwrap_err().to_string().contains("keys are never overwritten"));
    let loaded = SigningKey::from_file(path("key.pem")).unwrap();
    assert_eq!(loaded.public_key_pem(), key.public_key_pem());
    assert_eq!(format!("{key:?}"), "SigningKey");
    let error = SigningKey::from_pem(key.public_key_pem()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the text: expected a secret key of the curve P-256 as PEM, without a passphrase, found something else"
    );
    let public = "expected public keys of the curve P-256 as PEM, `-----BEGIN PUBLIC KEY-----`";
    assert_eq!(TrustedKeys::from_pem("").unwrap_err().to_string(), format!("the text: {public}, found none"));
    // Of the curve P-384.
    let other = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE\n-----END PUBLIC KEY-----\n";
    let text = format!("{}{other}", key.public_key_pem());
    assert_eq!(
        TrustedKeys::from_pem(&text).unwrap_err().to_string(),
        format!("the text, key 2: {public}, found another one")
    );
}

#[test]
fn a_licence_is_for_one_model_one_time_and_from_one_key() {
    let signed = Signed::new(Validity::forever());
    let access = Access::new().signed(signed.trusted.clone()).licensed(signed.trusted.clone());
    let said = || access.read(&signed.path).expect_err("no error").to_string();
    assert!(said().contains("expected a licence in ") && said().contains(", found no such file"));
    let issue = |licence: Licence| licence.issue(&signed.path, &signed.key).unwrap();
    issue(Licence::new("Example Ltd").requests_per_minute(60));
    let licence = access.read(&signed.path).unwrap().licence.unwrap();
    assert_eq!((licence.licensee(), licence.request_limit()), ("Example Ltd", Some(60)));
    let none = Licence::new("Example Ltd").requests_per_minute(0).issue(&signed.path, &signed.key).unwrap_err();
    assert_eq!(none.to_string(), "requests_per_minute must be at least 1, got 0");
    issue(Licence::new("Example Ltd").validity(Validity::until(ago(5))));
    assert!(said().contains("model.safetensors.licence: it is no longer valid: it expired at"), "{}", said());
    // A signature is no licence.
    let licence = signed.path.with_extension("safetensors.licence");
    fs::copy(signed.signature(), &licence).unwrap();
    assert!(
        said().contains("expected a signed statement of application/vnd.inkstone.licence.v1+json, found one of"),
        "{}",
        said()
    );
    // That of another model.
    let other = signed.path.with_file_name("other.safetensors");
    model(2).save(&other).unwrap();
    Licence::new("Example Ltd").issue(&other, &signed.key).unwrap();
    fs::copy(other.with_extension("safetensors.licence"), &licence).unwrap();
    assert!(said().contains("it is the signature of another file"), "{}", said());
    // Of somebody who may not issue any.
    Licence::new("Example Ltd").issue(&signed.path, &SigningKey::generate().unwrap()).unwrap();
    assert!(said().contains("another key than those that are trusted"), "{}", said());
}

#[test]
fn an_encrypted_file_is_signed_and_licensed_as_it_lies_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.age");
    let (secret, key) = (Identities::generate(), SigningKey::generate().unwrap());
    model(3).save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    sign_file(&path, &key, Validity::forever()).unwrap();
    Licence::new("Example Ltd").issue(&path, &key).unwrap();
    let trusted = TrustedKeys::from_pem(&key.public_key_pem()).unwrap();
    let access = Access::new().identities(secret).signed(trusted.clone()).licensed(trusted);
    let opened = access.read(&path).unwrap();
    assert!(opened.encrypted && opened.signed.unwrap().digest == opened.digest);
    assert_eq!(opened.content, model(3).to_bytes().unwrap());
    let loaded = Model::load_protected(&path, &access, inkstone::LoadLimits::new()).unwrap();
    assert_eq!(loaded.get_weights(), model(3).get_weights());
}

#[cfg(unix)]
#[test]
fn pipes_are_refused_instead_of_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let expected = format!("{}: expected a file, found a folder, a device or a pipe", path.display());
    let key = SigningKey::generate().unwrap();
    assert_eq!(file_digest(&path).unwrap_err().to_string(), expected);
    assert_eq!(sign_file(&path, &key, Validity::forever()).unwrap_err().to_string(), expected);
    assert_eq!(Licence::new("Example Ltd").issue(&path, &key).unwrap_err().to_string(), expected);
    assert_eq!(Access::new().read(&path).unwrap_err().to_string(), expected);
    let error = TrustedKeys::from_file(&path).unwrap_err().to_string();
    assert!(error.ends_with("expected a file of keys, found a folder, a device or a pipe"), "{error}");
}

/// Runs PyPI's `model-signing`; `None` if there is no Python for tests.
fn model_signing(arguments: &[&str], path: &Path) -> Option<bool> {
    let Some(python) = std::env::var_os("INKSTONE_PYTHON") else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_PYTHON").is_none(), "INKSTONE_PYTHON is not set");
        eprintln!("NOT TESTED with `model-signing`: INKSTONE_PYTHON is not set");
        return None;
    };
    let output = Command::new(python).args(["-m", "model_signing"]).args(arguments).arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("No module named"), "{said}");
    eprintln!("{said}");
    Some(output.status.success())
}

#[test]
fn model_signing_checks_ours_and_its_are_checked_here() {
    let signed = Signed::new(Validity::until(SystemTime::now() + Duration::from_secs(3600)));
    let place = |name: &str| signed.path.with_file_name(name).to_str().unwrap().to_owned();
    let (key, public, signature) = (place("key.pem"), place("key.pub"), place("model.safetensors.sig"));
    signed.key.save(&key).unwrap();
    fs::write(&public, signed.key.public_key_pem()).unwrap();
    let verify = ["verify", "key", "--public_key", &public, "--signature", &signature];
    let Some(verified) = model_signing(&verify, &signed.path) else { return };
    assert!(verified);
    fs::remove_file(&signature).unwrap();
    let sign = ["sign", "key", "--private_key", &key, "--signature", &signature];
    assert_eq!(model_signing(&sign, &signed.path), Some(true));
    assert!(Model::load_verified(&signed.path, &signed.trusted).is_ok());
    let (moved, its_signature) = (place("moved.safetensors"), place("moved.safetensors.sig"));
    fs::copy(&signed.path, &moved).unwrap();
    fs::copy(&signature, its_signature).unwrap();
    let error = Model::load_verified(&moved, &signed.trusted).unwrap_err().to_string();
    assert!(error.contains("of a file called `model.safetensors`, this one is called `moved.safetensors`"), "{error}");
    // And neither accepts what the other signed for another content.
    model(2).save(&signed.path).unwrap();
    assert_eq!(model_signing(&verify, &signed.path), Some(false));
    assert!(signed.said().contains("it was changed after it was signed"));
}
