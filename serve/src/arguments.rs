//! What the command line says.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Serves Inkstone models over HTTP.
///
/// `inkstone-serve digits.safetensors` answers on http://127.0.0.1:8501: TensorFlow Serving's REST API (/v1/models/digits:predict),
/// the Open Inference Protocol (/v2/models/digits/infer), pictures (/v1/models/digits:classify), and a page to draw on.
#[derive(Clone, Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Model files (the model has the file's name), NAME=FILE, or folders of NAME.safetensors and NAME/VERSION/*.safetensors, which are
    /// watched: what is replaced by renaming is swapped without losing a request
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<String>,

    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8501", env = "INKSTONE_SERVE_LISTEN")]
    pub(crate) listen: SocketAddr,

    #[command(flatten)]
    pub(crate) protection: Protection,

    /// A file of API keys, as `inkstone-serve key` prints them: a line of JSON each. Without one the server answers anybody, and so
    /// listens on this machine's own address only
    #[arg(long, value_name = "FILE", env = "INKSTONE_SERVE_KEYS")]
    pub(crate) keys: Option<PathBuf>,

    /// The certificates of this server, as PEM: TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The secret key that goes with the certificate, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: Limits,

    /// Who asked for what, a line of JSON each, without what was asked; `-` for the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<PathBuf>,

    /// How logs on the standard error are written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) logs: Form,
}

/// The form of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    Text,
    Json,
}

/// What opens protected models, and what is asked of them.
#[derive(Args, Clone, Debug)]
pub(crate) struct Protection {
    /// Secret keys that open encrypted models, as `age-keygen` writes them
    #[arg(long, value_name = "FILE", env = "INKSTONE_SERVE_IDENTITIES")]
    pub(crate) identities: Option<PathBuf>,

    /// Serves models only that one of the public keys in this PEM file has signed (MODEL.sig)
    #[arg(long, value_name = "FILE")]
    pub(crate) signed_by: Option<PathBuf>,

    /// Serves models only that have a licence (MODEL.licence) signed with one of the public keys in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) licensed_by: Option<PathBuf>,
}

/// What a request and all of them together may take.
#[derive(Args, Clone, Debug)]
pub(crate) struct Limits {
    /// Bytes of a request's body
    #[arg(long, default_value_t = 16 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub(crate) max_body: u64,

    /// Examples in a request
    #[arg(long, default_value_t = 65_536, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1 << 28))]
    pub(crate) max_examples: u64,

    /// Bytes that all requests together may take, reckoned by their bodies; more are answered with 429
    #[arg(long, default_value_t = 512 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1 << 20..=1 << 40))]
    pub(crate) max_memory: u64,

    /// Connections at a time; more wait
    #[arg(long, default_value_t = 512, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) max_connections: u32,

    /// Requests that wait for a thread; more are answered with 429
    #[arg(long, default_value_t = 1024, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) max_queue: u32,

    /// Threads that predict; as many as there are cores if it is not given
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Seconds for a request's header, as many for its body, and as many in which a client takes nothing of an answer
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) request_timeout: u64,

    /// Seconds that requests have to end when the server is told to stop
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub(crate) grace: u64,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes an API key: prints it, and the line for the file of keys, which has its hash
    Key(NewKey),
    /// Signs a model's file: writes MODEL.sig, a bundle that OpenSSF Model Signing's tool checks as well
    Sign(Sign),
    /// Writes a licence for a model beside its file, MODEL.licence
    Licence(NewLicence),
    /// Asks a running server, without TLS, whether it is ready: for containers, which have nothing else to ask with
    Health(Health),
}

/// A file to sign.
#[derive(Args, Clone, Debug)]
pub(crate) struct Sign {
    pub(crate) model: PathBuf,

    /// The secret key, of the curve P-256, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// How many days the signature is valid; without an end if it is not given
    #[arg(long, value_name = "COUNT")]
    pub(crate) days: Option<u32>,
}

/// A licence to write.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewLicence {
    #[command(flatten)]
    pub(crate) sign: Sign,

    /// Who may use the model
    #[arg(long, value_name = "NAME")]
    pub(crate) licensee: String,

    /// Requests a minute: so many at once, and each a while after another
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,
}

/// A key to make.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewKey {
    /// Who it is for
    pub(crate) name: String,

    /// The models it may use, all if none are given
    #[arg(long, value_delimiter = ',', value_name = "MODEL")]
    pub(crate) models: Vec<String>,

    /// Requests a minute: so many at once, and each a while after another
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,

    /// It may read /metrics as well
    #[arg(long)]
    pub(crate) metrics: bool,
}

/// A server to ask.
#[derive(Args, Clone, Debug)]
pub(crate) struct Health {
    /// Where it listens
    #[arg(default_value = "127.0.0.1:8501", env = "INKSTONE_SERVE_LISTEN")]
    pub(crate) address: SocketAddr,
}
