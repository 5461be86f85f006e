//! Downloads from a real server on this machine that behaves well or badly.

use super::*;
use crate::whole_file::STALE;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::BufRead;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const FILE: &str = "letters";
const CONTENT: &[u8] = b"what the file should hold";

fn archive(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn sha256(bytes: &[u8]) -> &'static str {
    hex(&Sha256::new().update(bytes).finalize()).leak()
}

fn content_sum() -> Sum {
    Sum::Content { bytes: CONTENT.len() as u64, sha256: sha256(CONTENT) }
}

/// A server that answers every request by this function; its address, and how often it was asked.
fn serve(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || {
                let request = BufReader::new(stream.try_clone().unwrap());
                let _ = request.lines().map_while(io::Result::ok).take_while(|line| !line.is_empty()).count();
                answer(&mut stream);
            });
        }
    });
    (address, asked)
}

/// Sends a head and a body; a client that has gone away is none of the server's business.
fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}

fn good(content: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    let body = archive(content);
    serve(move |stream| send(stream, &format!("200 OK\r\nContent-Length: {}", body.len()), &body))
}

const SHORT: Patience =
    Patience { connect: Duration::from_secs(5), answer: Duration::from_millis(300), body: Duration::from_millis(900) };

fn fetch_letters(mirrors: &[&str], folder: &Path, sum: Sum) -> Result<()> {
    let mut mirrors: Vec<String> = mirrors.iter().map(|mirror| (*mirror).to_owned()).collect();
    fetch_from(&mut mirrors, "Letters", folder, [(FILE, sum)].into_iter(), SHORT)
}

/// Everything in a folder.
fn listing(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Fails unless this server is refused for this reason, leaves nothing behind, and a good one after it is believed.
#[track_caller]
fn refused(address: &str, sum: Sum, reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_letters(&[address], folder.path(), sum).unwrap_err();
    let Error::Download { name, file, attempts, .. } = &error else { panic!("{error}") };
    assert_eq!((*name, file.as_str()), ("Letters", "letters.gz"));
    assert!(
        attempts.len() == 1 && attempts[0].starts_with(&format!("{address}letters.gz: {reason}")),
        "expected {reason}, got {attempts:?}"
    );
    assert!(listing(folder.path()).is_empty(), "{:?}", listing(folder.path()));

    let (second, asked) = good(CONTENT);
    fetch_letters(&[address, &second], folder.path(), content_sum()).unwrap();
    assert_eq!(listing(folder.path()), ["letters.gz"]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_good_file_is_stored_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("made").join("on the way");
    fetch_letters(&[&good(CONTENT).0], &inner, content_sum()).unwrap();
    assert_eq!(fs::read(inner.join("letters.gz")).unwrap(), archive(CONTENT));
    assert_eq!(listing(&inner), ["letters.gz"]);
}

#[test]
fn an_archive_is_known_by_its_own_sum_where_that_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = archive(CONTENT);
    let sum = Sum::Archive { bytes: bytes.len() as u64, sha256: sha256(&bytes) };
    fetch_letters(&[&good(CONTENT).0], folder.path(), sum).unwrap();
    assert_eq!(listing(folder.path()), ["letters.gz"]);
    let other = archive(b"WHAT THE FILE SHOULD HOLD");
    let (wrong, expected) = (good(b"WHAT THE FILE SHOULD HOLD").0, sha256(&bytes));
    let sum = Sum::Archive { bytes: other.len() as u64, sha256: expected };
    let error = fetch_letters(&[&wrong], folder.path(), sum).unwrap_err().to_string();
    assert!(error.contains(&format!("expected archive of SHA-256 {expected}, got {}", sha256(&other))), "{error}");
}

#[test]
fn a_body_without_a_length_is_taken_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = serve(|stream| send(stream, "200 OK", &archive(CONTENT)));
    fetch_letters(&[&address], folder.path(), content_sum()).unwrap();
    assert_eq!(listing(folder.path()), ["letters.gz"]);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let wrong: &[u8] = b"WHAT THE FILE SHOULD HOLD";
    let reason = format!("expected unpacked content of SHA-256 {}, got {}", sha256(CONTENT), sha256(wrong));
    refused(&good(b"WHAT THE FILE SHOULD HOLD").0, content_sum(), &reason);
}

#[test]
fn content_that_is_too_short_or_too_long_is_refused() {
    refused(&good(b"what").0, content_sum(), "expected 25 bytes of unpacked content, got 4");
    refused(
        &good(b"what the file should hold, and more").0,
        content_sum(),
        "expected 25 bytes of unpacked content, got more",
    );
}

#[test]
fn a_truncated_body_is_refused() {
    let (address, _) = serve(|stream| send(stream, "200 OK\r\nContent-Length: 1000", &archive(CONTENT)));
    refused(&address, content_sum(), "the answer broke off after ");
    let (address, _) = serve(|stream| send(stream, "200 OK", &archive(CONTENT)[..20]));
    refused(&address, content_sum(), "expected a gzip archive, got something else (");
}

#[test]
fn a_status_that_is_not_good_is_refused() {
    for status in [404, 403, 500, 503] {
        let head = format!("{status} Sorry\r\nContent-Length: 0");
        let (address, _) = serve(move |stream| send(stream, &head, b""));
        refused(&address, content_sum(), &format!("the server answered {status}"));
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let (address, _) = serve(|_| thread::sleep(Duration::from_secs(60)));
    refused(&address, content_sum(), "no answer in time (");
}

#[test]
fn a_server_that_stops_in_the_middle_is_given_up() {
    let (address, _) = serve(|stream| {
        send(stream, "200 OK\r\nContent-Length: 1000", b"first bytes");
        thread::sleep(Duration::from_secs(60));
    });
    refused(&address, content_sum(), "the answer broke off after 11 bytes (timeout");
}

#[test]
fn a_server_that_trickles_is_given_up() {
    let (address, _) = serve(|stream| {
        send(stream, "200 OK\r\nContent-Length: 1000000", b"");
        while stream.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    refused(&address, content_sum(), "the answer broke off after ");
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let (address, _) = serve(|stream| {
        send(stream, "200 OK", b"");
        while stream.write_all(&[7; 4096]).is_ok() {}
    });
    let sum = Sum::Archive { bytes: 100_000, sha256: sha256(b"") };
    refused(&address, sum, "expected at most 100000 bytes, the answer goes on after them");
}

#[test]
fn an_archive_that_unpacks_to_far_more_is_not_unpacked_to_its_end() {
    let (address, _) = good(Box::leak(vec![0; 50 << 20].into_boxed_slice()));
    refused(&address, content_sum(), "expected 25 bytes of unpacked content, got more");
}

#[test]
fn a_web_page_is_refused() {
    let (address, _) = serve(|stream| send(stream, "200 OK", b"<!DOCTYPE html><title>Log in to the network</title>"));
    refused(&address, content_sum(), "expected a gzip archive, got something else (");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (target, _) = good(CONTENT);
    let head = format!("302 Found\r\nContent-Length: 0\r\nLocation: {target}elsewhere.gz");
    let (address, _) = serve(move |stream| send(stream, &head, b""));
    fetch_letters(&[&address], folder.path(), content_sum()).unwrap();
    assert_eq!(listing(folder.path()), ["letters.gz"]);
    let (circle, asked) = serve(|stream| send(stream, "302 Found\r\nContent-Length: 0\r\nLocation: /letters.gz", b""));
    refused(&circle, content_sum(), "the server redirects again and again");
    assert!(asked.load(Ordering::Relaxed) < 20);
}

#[test]
fn a_refused_connection_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    refused(&address, content_sum(), "io: Connection refused");
}

#[test]
fn nonsense_in_the_place_of_http_is_refused() {
    let (address, _) = serve(|stream| drop(stream.write_all(b"220 ftp.example.org ready\r\n\r\n")));
    refused(&address, content_sum(), "");
    let (address, _) = serve(|_| ());
    refused(&address, content_sum(), "");
}

#[test]
fn all_mirrors_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = serve(|stream| send(stream, "404 Not Found\r\nContent-Length: 0", b""));
    let (two, _) = serve(|stream| send(stream, "500 Oh\r\nContent-Length: 0", b""));
    let error = fetch_letters(&[&one, &two], folder.path(), content_sum()).unwrap_err().to_string();
    let expected = format!(
        "Letters: letters.gz could not be downloaded:\n  {one}letters.gz: the server answered 404\n  {two}letters.gz: the server \
         answered 500\nPut it into {} by hand, set INKSTONE_DATA to a folder that has all files, or INKSTONE_MIRROR to the \
         address of a folder that serves them.",
        folder.path().display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_mirror_that_answered_well_is_asked_first_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, asked) = serve(|stream| send(stream, "404 Not Found\r\nContent-Length: 0", b""));
    let (well, _) = good(CONTENT);
    let files = ["a", "b", "c"].map(|file| (file, content_sum()));
    fetch_from(&mut [bad, well], "Letters", folder.path(), files.into_iter(), SHORT).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(listing(folder.path()).len(), 3);
}

#[test]
fn a_folder_that_cannot_be_is_told_and_no_other_mirror_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (address, asked) = good(CONTENT);
    let error = fetch_letters(&[&address], &file.join("below"), content_sum()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().starts_with(&file.display().to_string()), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // A folder in the file's place.
    fs::create_dir_all(folder.path().join("letters.gz/inner")).unwrap();
    let error = fetch_letters(&[&address, &address], folder.path(), content_sum()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(listing(folder.path()).len(), 2, "no part is left");
}

#[test]
fn many_threads_that_fetch_one_file_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = good(CONTENT);
    thread::scope(|scope| {
        let fetchers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| fetch_letters(&[&address], folder.path(), content_sum()))).collect();
        fetchers.into_iter().for_each(|fetcher| fetcher.join().unwrap().unwrap());
    });
    assert_eq!(listing(folder.path()), ["letters.gz"]);
    assert_eq!(fs::read(folder.path().join("letters.gz")).unwrap(), archive(CONTENT));
}

#[test]
fn only_old_parts_of_the_same_files_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    // The last is another program's.
    for name in [".letters.s7AlE0.part", ".letters.yOunG1.part", ".mine.part"] {
        let file = File::create(folder.path().join(name)).unwrap();
        if !name.contains("yOunG") {
            file.set_modified(std::time::SystemTime::now() - STALE * 2).unwrap();
        }
    }
    fetch_letters(&[&good(CONTENT).0], folder.path(), content_sum()).unwrap();
    let mut left = listing(folder.path());
    left.sort();
    assert_eq!(left, [".letters.yOunG1.part", ".mine.part", "letters.gz"]);
}

#[cfg(unix)]
#[test]
fn a_downloaded_file_has_the_permissions_that_the_system_gives_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fetch_letters(&[&good(CONTENT).0], folder.path(), content_sum()).unwrap();
    fs::write(folder.path().join("usual"), "").unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("letters.gz"), mode("usual"));
}

#[test]
fn a_password_in_an_address_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = serve(|stream| send(stream, "404 Not Found\r\nContent-Length: 0", b""));
    let host = address.strip_prefix("http://").unwrap();
    let mirrors = [format!("http://ann:secret@{host}"), format!("ann:secret@{host}"), "http://ann:sec/ret@no/".into()];
    let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
    let error = fetch_letters(&mirrors, folder.path(), content_sum()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("  http://***@{host}letters.gz: the server answered 404\n  ***@{host}")),
        "{error}"
    );
    assert!(!error.contains("sec") && !error.contains("ann"), "{error}");
}
