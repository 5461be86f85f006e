//! Keys and passphrases: where they come from, and what is said of those that are none.

use inkstone::protect::{Identities, Recipients, read_encrypted, write_encrypted};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn written(&self, recipients: &Recipients) -> PathBuf {
        let path = self.path("secret.age");
        write_encrypted(&path, recipients, |file| file.write_all(b"Ada")).unwrap();
        path
    }
}

fn content(path: &PathBuf, identities: &Identities) -> inkstone::Result<String> {
    let mut content = String::new();
    read_encrypted(path, identities)?.read_to_string(&mut content).unwrap();
    Ok(content)
}

#[test]
fn each_of_several_keys_opens_a_file_and_others_do_not() {
    let place = Place::new();
    let (ada, bob, eve) = (Identities::generate(), Identities::generate(), Identities::generate());
    let both = format!("{}\n\n# Bob's\n  {}", ada.recipients().unwrap(), bob.recipients().unwrap());
    let path = place.written(&Recipients::from_keys(&both).unwrap());
    assert!(content(&path, &ada).unwrap() == "Ada" && content(&path, &bob).unwrap() == "Ada");
    assert!(!fs::read(&path).unwrap().windows(3).any(|bytes| bytes == b"Ada"));
    let error = content(&path, &eve).unwrap_err().to_string();
    assert!(
        error.ends_with("secret.age: no key that was given opens the file, of 1 tried: it is encrypted for others")
    );
    let error = content(&path, &Identities::passphrase("guess").unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("the file is encrypted for keys, and a passphrase was given: give one of the secret keys"));
}

#[test]
fn a_passphrase_opens_what_it_closed() {
    let place = Place::new();
    let path = place.written(&Recipients::passphrase("correct horse").unwrap());
    assert_eq!(content(&path, &Identities::passphrase("correct horse").unwrap()).unwrap(), "Ada");
    let error = content(&path, &Identities::passphrase("battery staple").unwrap()).unwrap_err().to_string();
    assert!(error.ends_with("secret.age: the passphrase that was given does not open the file"), "{error}");
    let error = content(&path, &Identities::generate()).unwrap_err().to_string();
    assert!(
        error.ends_with("the file is encrypted with a passphrase, and keys were given: give the passphrase"),
        "{error}"
    );
    // A file that would keep its reader busy for hours.
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == b" 18\n").unwrap();
    fs::write(&path, [&bytes[..at], b" 40\n", &bytes[at + 4..]].concat()).unwrap();
    let error = content(&path, &Identities::passphrase("correct horse").unwrap()).unwrap_err().to_string();
    assert!(error.contains("expected a passphrase that takes 2^20 units of work, the file asks for 2^40"), "{error}");
}

#[test]
fn keys_are_asked_for_each_time_and_their_errors_are_told() {
    let place = Place::new();
    let secret = Identities::generate();
    let path = place.written(&secret.recipients().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = {
        let (asked, secret) = (asked.clone(), secret.clone());
        Identities::ask(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(secret.clone())
        })
    };
    assert_eq!(content(&path, &asking).unwrap(), "Ada");
    assert_eq!(content(&path, &asking).unwrap(), "Ada");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let failing = Identities::ask(|| Identities::from_env("INKSTONE_NO_SUCH_KEY"));
    assert_eq!(
        content(&path, &failing).unwrap_err().to_string(),
        "the environment variable INKSTONE_NO_SUCH_KEY is not set: it should hold a key"
    );
    let again = Identities::ask(move || Ok(asking.clone()));
    let error = content(&path, &again).unwrap_err().to_string();
    assert_eq!(error, "keys were asked for, and the answer was to ask again");
}

#[test]
fn texts_that_are_no_keys_are_refused_and_never_shown() {
    let place = Place::new();
    let said = |text: &str| Identities::from_keys(text).unwrap_err().to_string();
    let expected = "expected a secret key, `AGE-SECRET-KEY-1...`";
    assert_eq!(said("# none\n\nhunter2"), format!("the secret keys, line 3: {expected}"));
    assert_eq!(said("# none"), format!("the secret keys: {expected}, found no key"));
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----";
    assert_eq!(said(ssh), format!("the secret keys, line 1: {expected}, which keys of plugins and of SSH are not"));
    // A public key where a secret one belongs, in a file.
    let path = place.path("key.txt");
    fs::write(&path, Identities::generate().recipients().unwrap().to_string()).unwrap();
    let error = Identities::from_file(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}, line 1: {expected}", path.display()));
    fs::write(&path, vec![b'\n'; 2 << 20]).unwrap();
    let error = Identities::from_file(&path).unwrap_err().to_string();
    assert!(error.ends_with("expected a file of keys, found more than a mebibyte"), "{error}");
    assert!(Identities::from_file(place.path("missing")).is_err() && Identities::from_file(place.path("")).is_err());
    let error = Identities::passphrase("").unwrap_err().to_string();
    assert_eq!(error, "a passphrase must have at least one character, got an empty one");
    let printed =
        format!("{:?} {:?}", Identities::passphrase("hunter2").unwrap(), Recipients::passphrase("hunter2").unwrap());
    assert_eq!(printed, "Identities(a passphrase) Recipients(those who know the passphrase)");
}

#[test]
fn keys_are_written_once_and_for_their_owner() {
    let place = Place::new();
    let (path, secret) = (place.path("key.txt"), Identities::generate());
    secret.save(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let error = Identities::generate().save(&path).unwrap_err().to_string();
    assert!(error.ends_with("the file is there, and keys are never overwritten: write elsewhere"), "{error}");
    let loaded = Identities::from_file(&path).unwrap();
    assert_eq!(loaded.recipients().unwrap().to_string(), secret.recipients().unwrap().to_string());
    let error = Identities::passphrase("x").unwrap().save(place.path("other")).unwrap_err().to_string();
    assert_eq!(error, "a passphrase is not written to a file: only secret keys are");
}
