//! Downloads files with a known checksum: chooses mirrors, verifies what they send, and puts files in place. The caller
//! decides which files.
//!
//! A file is written under another name, checked, synced and renamed: readers see all of it or nothing, whatever
//! happens to this process or to others that download the same file.

mod address;
mod proxy;

use super::family::{Family, Sum};
use super::gzip::Unpacked;
use crate::error::{Error, Result};
use crate::whole_file::{Part, new_part};
use address::{shown, without_secret};

use indicatif::{ProgressBar, ProgressStyle};
use proxy::Answer;
use sha2_const::Sha256;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// The largest archive that is taken where its size is not known.
const MAX_ARCHIVE: u64 = 64 << 20;

/// Timeouts.
#[derive(Clone, Copy, Debug)]
struct Patience {
    connect: Duration,
    /// For the head of the answer, and for every next byte of its body.
    answer: Duration,
    /// For a whole body.
    body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(30), body: Duration::from_secs(900) }
    }
}

/// Why a file was not fetched.
enum Fault {
    /// The mirror's fault: the next is asked.
    Mirror(String),
    /// The folder's fault: no mirror can help.
    Folder(Error),
}

type Attempt<T> = std::result::Result<T, Fault>;

/// Whether `INKSTONE_OFFLINE` says that nothing may be downloaded.
pub(super) fn is_switched_off() -> bool {
    std::env::var_os("INKSTONE_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Downloads these files of a data set into a folder, which is created if it does not exist.
///
/// # Errors
/// [`Error::Download`] if no mirror gave a file, [`Error::Io`] if it could not be written.
pub(super) fn fetch<'a>(family: &Family, folder: &Path, files: impl Iterator<Item = (&'a str, Sum)>) -> Result<()> {
    let own = std::env::var("INKSTONE_MIRROR").unwrap_or_default();
    let mut mirrors: Vec<String> =
        own.split_whitespace().map(|mirror| format!("{}/", mirror.trim_end_matches('/'))).collect();
    mirrors.extend(family.mirrors.iter().map(|mirror| (*mirror).to_owned()));
    fetch_from(&mut mirrors, family.name, folder, files, Patience::default())
}

/// Fetches files from these mirrors in turn; one that answers well is asked first from then on.
fn fetch_from<'a>(
    mirrors: &mut [String],
    name: &'static str,
    folder: &Path,
    files: impl Iterator<Item = (&'a str, Sum)>,
    patience: Patience,
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| at(folder, source))?;
    let agent = agent(patience);
    for (file, sum) in files {
        let mut attempts = Vec::new();
        loop {
            let Some(mirror) = mirrors.get(attempts.len()) else {
                let folder = folder.to_owned();
                return Err(Error::Download { name, file: format!("{file}.gz"), folder, attempts });
            };
            let url = format!("{mirror}{file}.gz");
            // Not `eprintln!`: a closed standard error is no reason to stop.
            let _ = writeln!(io::stderr(), "Downloading {name}: {}", shown(&url));
            match fetch_one(&agent, &url, &sum, file, folder, patience) {
                Ok(()) => break,
                Err(Fault::Mirror(reason)) => {
                    attempts.push(format!("{}: {}", shown(&url), without_secret(&reason, &url)));
                }
                Err(Fault::Folder(error)) => return Err(error),
            }
        }
        mirrors[..=attempts.len()].rotate_right(1);
    }
    Ok(())
}

/// The `User-Agent` of all requests.
const USER_AGENT: &str = concat!("inkstone/", env!("CARGO_PKG_VERSION"));
/// The most redirects that are followed.
const MAX_REDIRECTS: u32 = 5;

/// A client that takes its proxy from the environment.
fn agent(patience: Patience) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.answer))
        .timeout_per_read(Some(patience.answer))
        .timeout_recv_body(Some(patience.body))
        .max_redirects(MAX_REDIRECTS)
        .user_agent(USER_AGENT)
        .build()
        .new_agent()
}

/// What is said of addresses for which TLS is needed.
const NO_TLS: &str = "it leads to an https address, and this crate speaks plain HTTP alone, as files are known by their SHA-256: \
                      name a mirror with http://, or download the file by other means";

fn fetch_one(agent: &ureq::Agent, url: &str, sum: &Sum, file: &str, folder: &Path, patience: Patience) -> Attempt<()> {
    let Answer { length: announced, body } = match proxy::proxy_for(url) {
        Some(proxy) => proxy::get(&proxy, url, patience)?,
        None => {
            let response = agent.get(url).call().map_err(|error| Fault::Mirror(reason(&error)))?;
            let length = response.body().content_length();
            Answer { length, body: Box::new(response.into_body().into_reader()) }
        }
    };
    let part = new_part(folder, file).map_err(|source| Fault::Folder(at(folder, source)))?;
    let bar = progress(announced);
    let received = receive(body, &part, sum, &bar, folder);
    bar.finish_and_clear();
    check(received?, announced, sum, &part)?;
    let path = folder.join(format!("{file}.gz"));
    part.file().sync_all().map_err(|source| Fault::Folder(at(&path, source)))?;
    part.put_at(&path).map_err(|source| Fault::Folder(at(&path, source)))
}

/// A bar on the terminal; where standard error is none, nothing.
fn progress(len: Option<u64>) -> ProgressBar {
    let bar = len.map_or_else(ProgressBar::no_length, ProgressBar::new);
    match ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The length and SHA-256 of what was received.
struct Received {
    bytes: u64,
    sha256: String,
}

/// Copies a body to a file, up to the length that the file may have.
fn receive(mut body: impl Read, part: &Part, sum: &Sum, bar: &ProgressBar, folder: &Path) -> Attempt<Received> {
    let most = match sum {
        Sum::Content { .. } => MAX_ARCHIVE,
        Sum::Archive { bytes, .. } => *bytes,
    };
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(Received { bytes, sha256: hex(&hash.finalize()) }),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Mirror(format!("the answer broke off after {bytes} bytes ({error})"))),
        };
        bytes += count as u64;
        if bytes > most {
            return Err(Fault::Mirror(format!("expected at most {most} bytes, the answer goes on after them")));
        }
        hash = hash.update(&buffer[..count]);
        part.file().write_all(&buffer[..count]).map_err(|source| Fault::Folder(at(folder, source)))?;
        bar.set_position(bytes);
    }
}

/// Checks what was received against what is expected.
fn check(received: Received, announced: Option<u64>, sum: &Sum, part: &Part) -> Attempt<()> {
    let Received { bytes, sha256: found } = received;
    if announced.is_some_and(|announced| announced != bytes) {
        let announced = announced.unwrap_or_default();
        return Err(Fault::Mirror(format!("expected {announced} bytes, as announced, the answer ended after {bytes}")));
    }
    let (what, (expected_bytes, expected), (bytes, found)) = match sum {
        Sum::Archive { bytes: expected_bytes, sha256 } => ("archive", (*expected_bytes, *sha256), (bytes, found)),
        Sum::Content { bytes: expected_bytes, sha256 } => {
            let unpacked = unpack(part.file(), *expected_bytes)
                .map_err(|error| Fault::Mirror(format!("expected a gzip archive, got something else ({error})")))?;
            ("unpacked content", (*expected_bytes, *sha256), unpacked)
        }
    };
    if bytes != expected_bytes {
        let found = if bytes > expected_bytes { "more".into() } else { bytes.to_string() };
        return Err(Fault::Mirror(format!("expected {expected_bytes} bytes of {what}, got {found}")));
    }
    if found != expected {
        return Err(Fault::Mirror(format!("expected {what} of SHA-256 {expected}, got {found}")));
    }
    Ok(())
}

/// The length and SHA-256 of what an archive unpacks to, up to one byte more than expected.
fn unpack(mut archive: &File, expected: u64) -> io::Result<(u64, String)> {
    archive.rewind()?;
    let mut content = Unpacked::new(BufReader::new(archive)).take(expected + 1);
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            count => {
                bytes += count as u64;
                hash = hash.update(&buffer[..count]);
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why there was no answer, in a few words.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(status) => format!("the server answered {status}"),
        ureq::Error::Timeout(timeout) => format!("no answer in time ({timeout})"),
        ureq::Error::HostNotFound => "the server's name was not found: is there a network?".into(),
        ureq::Error::TlsRequired => NO_TLS.into(),
        ureq::Error::TooManyRedirects => "the server redirects again and again".into(),
        error => error.to_string(),
    }
}

fn at(path: &Path, source: io::Error) -> Error {
    Error::Io { place: path.display().to_string(), source }
}

#[cfg(test)]
mod tests;
