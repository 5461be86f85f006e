//! Who may ask, what is written down of it, and models that are protected.

mod common;

use common::{Server, digits};
use inkstone::protect::{Identities, Licence, SigningKey, Validity, sign_file};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A new key, and its line for the file of keys.
fn new_key(arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_inkstone-serve")).arg("key").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (key, line) = text.trim_end().split_once('\n').unwrap();
    (key.to_owned(), line.to_owned())
}

/// The status and the text that is answered.
fn get(server: &Server, path: &str, key: Option<&str>) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(server.at(path));
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let mut response = request.call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn keys_have_models_and_rates_and_the_audit_log_has_no_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    fs::create_dir(&models).unwrap();
    digits(1).save(models.join("digits.safetensors")).unwrap();
    digits(2).save(models.join("other.safetensors")).unwrap();
    let (ada, ada_line) = new_key(&["ada", "--models", "digits", "--metrics"]);
    let (bob, bob_line) = new_key(&["bob", "--requests-per-minute", "2"]);
    let (keys, audit) = (folder.path().join("keys.jsonl"), folder.path().join("audit.jsonl"));
    fs::write(&keys, format!("{ada_line}\n{bob_line}\n")).unwrap();
    let server = Server::of(&models, &["--keys", text(&keys), "--audit-log", text(&audit)]);

    assert_eq!(get(&server, "/v1/models/digits", Some(&ada)).0, 200);
    assert_eq!(get(&server, "/v1/models/other", Some(&ada)).0, 403);
    assert_eq!(get(&server, "/v1/models/digits", None).0, 401);
    assert_eq!(get(&server, "/v1/models/digits", Some("ink_guess")).0, 401);
    assert!(
        get(&server, "/v1/models", Some(&ada)).1.contains("digits")
            && !get(&server, "/v1/models", Some(&ada)).1.contains("other")
    );
    assert_eq!((get(&server, "/metrics", Some(&ada)).0, get(&server, "/metrics", Some(&bob)).0), (200, 403));
    // A name that is written otherwise is not that name.
    assert_eq!(get(&server, "/v1/models/%64igits", Some(&ada)).0, 404);
    // Probes and the page need none.
    assert!(
        ["/v2/health/live", "/v2/health/ready", "/", "/openapi.json"]
            .iter()
            .all(|path| get(&server, path, None).0 == 200)
    );
    assert_eq!([0; 3].map(|_| get(&server, "/v1/models/other", Some(&bob)).0), [200, 200, 429]);

    let body = format!("{{\"instances\":[[{}]]}}", vec![format!("[{}]", vec!["0.4321"; 28].join(",")); 28].join(","));
    ureq::post(server.at("/v1/models/digits:predict")).header("X-API-Key", &ada).send(body).unwrap();
    // A thread writes it.
    let log = || fs::read_to_string(&audit).unwrap();
    server.wait_for("the last entry", || log().contains("\"examples\":1"));
    let log = log();
    let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = entries.last().unwrap();
    assert_eq!(
        (&last["caller"], &last["model"], &last["examples"], &last["status"]),
        (&"ada".into(), &"digits".into(), &1.into(), &200.into())
    );
    let refused =
        |status: u16, caller: &str| entries.iter().any(|entry| entry["status"] == status && entry["caller"] == caller);
    assert!(refused(403, "ada") && refused(429, "bob"), "{log}");
    assert!(entries.iter().any(|entry| entry["status"] == 401 && entry["caller"].is_null()));
    assert!(!log.contains("0.4321") && !log.contains(&ada) && !log.contains(&bob));
    assert!(!server.logs().contains(&ada));
}

#[test]
fn without_keys_it_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_inkstone-serve"))
        .arg(folder.path())
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("0.0.0.0:0 can be reached from other machines, and there are no API keys: give `--keys FILE`"),
        "{said}"
    );
}

#[test]
fn models_are_decrypted_verified_and_licensed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.safetensors.age");
    let (secret, signing) = (Identities::generate(), SigningKey::generate().unwrap());
    let (identities, public) = (folder.path().join("key.txt"), folder.path().join("public.pem"));
    secret.save(&identities).unwrap();
    fs::write(&public, signing.public_key_pem()).unwrap();
    digits(1).save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    let arguments = ["--identities", text(&identities), "--signed-by", text(&public), "--licensed-by", text(&public)];
    let server = Server::start([text(&path)].into_iter().chain(arguments));
    // Each thing that is missing is told, and what is put beside the model mends it.
    server.wait_for_log("expected a signature in ");
    assert!(get(&server, "/v1/models/digits", None).1.contains("found no such file: sign the model"));
    sign_file(&path, &signing, Validity::forever()).unwrap();
    server.wait_for_log("expected a licence in ");
    let end = SystemTime::now() + Duration::from_secs(20);
    Licence::new("Example Ltd").validity(Validity::until(end)).requests_per_minute(1).issue(&path, &signing).unwrap();
    server.wait_until_ready();
    let card = get(&server, "/v1/models", None).1;
    for part in [r#""encrypted":true"#, r#""signed":true"#, r#""licensee":"Example Ltd""#] {
        assert!(card.contains(part), "{card}");
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask = || agent.post(server.at("/v1/models/digits:predict")).send("{}").unwrap().status().as_u16();
    // One request a minute; what is wrong with it is another matter.
    assert_eq!((ask(), ask()), (400, 429));
    server.wait_for("the end of the licence", || ask() == 403);
    // A file that nobody signed is not served in its place.
    digits(2).save_encrypted(&path, &secret.recipients().unwrap()).unwrap();
    server.wait_for_log("it was changed after it was signed");
}

#[test]
fn tls_is_spoken_where_there_is_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (certificate, key) = (fixtures.join("localhost.pem"), fixtures.join("localhost.key"));
    let arguments = ["--tls-certificate", text(&certificate), "--tls-key", text(&key)];
    let server = Server::start([text(folder.path())].into_iter().chain(arguments));
    server.wait_for_log("loaded");
    let mut roots = RootCertStore::empty();
    use rustls_pki_types::pem::PemObject;
    roots.add(rustls_pki_types::CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(server.address()).unwrap());
    stream.write_all(b"GET /v1/models/digits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(String::from_utf8_lossy(&answer).contains("AVAILABLE"));
    // Without TLS there is no answer, and the next one is served all the same.
    let mut plain = TcpStream::connect(server.address()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    // A key that is none stops the start.
    let output = Command::new(env!("CARGO_BIN_EXE_inkstone-serve"))
        .args([text(folder.path()), "--tls-certificate", text(&certificate), "--tls-key", text(&certificate)])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("localhost.pem: expected a secret key as PEM"));
}
