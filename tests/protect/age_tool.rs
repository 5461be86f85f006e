//! The tool `age` reads what is written here, and what it writes is read here. Without it nothing is tested, which is an
//! error where `INKSTONE_REQUIRE_AGE` is set.

use inkstone::data::{idx, synthetic};
use inkstone::ndarray::Array3;
use inkstone::protect::{Identities, Recipients, read_encrypted};
use std::path::Path;
use std::process::Command;

/// Runs a program; `None` if it is not there.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => {
            assert!(std::env::var_os("INKSTONE_REQUIRE_AGE").is_none(), "{program}: {error}");
            eprintln!("NOT TESTED with other programs: there is no `{program}` on the path");
            None
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_tool_opens_a_data_set_and_python_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (key, encrypted, plain) = (path("key.txt"), path("digits.age"), path("digits.safetensors"));
    if run("age-keygen", &["-o", text(&key)]).is_none() {
        return;
    }
    let digits = synthetic::digits(300, 1).unwrap().with_ids((0..300).map(|n| format!("sheet {n}"))).unwrap();
    // For the tool's own key and another one.
    let public = run("age-keygen", &["-y", text(&key)]).unwrap();
    let both = format!("{public}{}", Identities::generate().recipients().unwrap());
    digits.save_encrypted(&encrypted, &Recipients::from_keys(&both).unwrap()).unwrap();
    run("age", &["-d", "-i", text(&key), "-o", text(&plain), text(&encrypted)]).unwrap();

    let bytes = std::fs::read(&plain).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("inputs").unwrap().shape(), [300, 28, 28, 1]);
    let Some(python) = std::env::var_os("INKSTONE_PYTHON") else { return };
    let program = "import sys, safetensors.numpy\n\
        t = safetensors.numpy.load_file(sys.argv[1])\n\
        print(t['inputs'].dtype, t['inputs'].shape, int(t['inputs'].astype('i8').sum()), t['labels'][:5].tolist())";
    let printed = run(python.to_str().unwrap(), &["-c", program, text(&plain)]).unwrap();
    let sum: f64 = digits.images().iter().map(|value| f64::from(value * 255.0).round()).sum();
    assert_eq!(printed.trim(), format!("uint8 (300, 28, 28, 1) {sum} {:?}", &digits.labels()[..5]));
}

#[test]
fn what_the_tool_encrypts_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (key, plain, encrypted) = (path("key.txt"), path("images-idx3-ubyte"), path("images.age"));
    let images = Array3::from_shape_fn((500, 28, 28), |(n, y, x)| (n + y * x) as u8).into_dyn();
    idx::write_file(&plain, images.view()).unwrap();
    let secret = Identities::generate();
    secret.save(&key).unwrap();
    let public = secret.recipients().unwrap().to_string();
    if run("age", &["-r", &public, "-o", text(&encrypted), text(&plain)]).is_none() {
        return;
    }
    // The key went to a file and comes back.
    let decrypted = read_encrypted(&encrypted, &Identities::from_file(&key).unwrap()).unwrap();
    assert_eq!(decrypted.content_len(), 16 + 500 * 784);
    assert_eq!(idx::read(decrypted, "images").unwrap(), images);
}
