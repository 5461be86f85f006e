//! The commands of the crate's chapter "from a file to a service", as they stand there.
#![cfg(unix)]

use inkstone::data::synthetic;
use inkstone::prelude::*;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The shell's blocks of the chapter, one after the other.
fn commands() -> String {
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/from_a_file_to_a_service.md");
    let text = fs::read_to_string(chapter).unwrap();
    let blocks: Vec<&str> = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 6, "only {} blocks were found", blocks.len());
    blocks.concat()
}

#[test]
fn every_command_of_the_chapter_runs() {
    for tool in ["age", "curl", "openssl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            assert!(std::env::var_os("INKSTONE_REQUIRE_AGE").is_none(), "there is no `{tool}` on the path");
            eprintln!("NOT TESTED: there is no `{tool}` on the path");
            return;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let digits = synthetic::digits(600, 0).unwrap();
    let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax)).seed(1);
    let mut model = described.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    model.fit(&digits, FitConfig::new().epochs(2).verbose(0)).unwrap();
    model.save(folder.path().join("digits.safetensors")).unwrap();
    let image = digits.images().index_axis_move(inkstone::ndarray::Axis(0), 0);
    let nested =
        |y: usize| format!("[{}]", (0..28).map(|x| format!("[{}]", image[[y, x, 0]])).collect::<Vec<_>>().join(","));
    let rows: Vec<String> = (0..28).map(nested).collect();
    fs::write(folder.path().join("image.json"), format!("[{}]", rows.join(","))).unwrap();
    let picture = image.index_axis(inkstone::ndarray::Axis(2), 0).mapv(|value| (value * 255.0) as u8);
    inkstone::data::pictures::write_png(folder.path().join("photo.png"), &picture).unwrap();

    // Ports that are free, in the place of those that people read.
    let mut chapter = commands();
    for port in 8501..8505 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        chapter = chapter.replace(&format!(":{port}"), &format!(":{free}"));
        if port == 8501 {
            chapter = chapter.replace(
                "inkstone-serve digits.safetensors &",
                &format!("inkstone-serve digits.safetensors --listen 127.0.0.1:{free} &"),
            );
        }
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_inkstone-serve"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    // As an interactive shell does, jobs have numbers; a command that fails ends it, and the servers with it.
    let script = format!("set -emuo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nset -x\n{chapter}");
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{told}");
    assert_eq!(said.matches("\"predictions\":[[").count(), 1, "{said}");
    assert_eq!(said.matches("\"probabilities\":[").count(), 2, "{said}");
    let log = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    assert!(log.contains("\"caller\":\"web\""), "{log}");
}
