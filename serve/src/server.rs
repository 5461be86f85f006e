//! Listens, and answers until it is told to stop.

use crate::access::Keys;
use crate::arguments::{Arguments, Protection};
use crate::fault::Start;
use crate::logs::Audit;
use crate::metrics::Metrics;
use crate::models::{Registry, Sources, watch};
use crate::patience::Patient;
use crate::queue::Queue;
use crate::state::State;
use crate::{http, tls};
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use inkstone::protect::{Access, Identities, TrustedKeys};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as signal};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

/// The most headers of a request, and the most bytes of them.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 << 10;
/// How long to wait where no connection can be accepted, as when there are no file handles left.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until it is told to stop.
///
/// # Errors
/// [`Start`] if it cannot begin.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Start> {
    let keys = match &arguments.keys {
        Some(path) => Keys::read(path)?,
        None if arguments.listen.ip().is_loopback() => Keys::none(),
        None => return Err(Start::Open(arguments.listen)),
    };
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
        _ => None,
    };
    let (models, metrics) = (Arc::new(Registry::default()), Arc::new(Metrics::new()));
    let mut sources = Sources::new(&arguments.models, access(&arguments.protection)?).map_err(Start::Models)?;
    let threads = arguments
        .limits
        .threads
        .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let state = Arc::new(State {
        queue: Queue::start(threads, arguments.limits.max_queue as usize, metrics.clone()).map_err(Start::Runtime)?,
        models: models.clone(),
        keys,
        metrics: metrics.clone(),
        audit: arguments.audit_log.as_deref().map(Audit::open).transpose()?,
        decoding: Arc::new(Semaphore::new(threads)),
        room: Arc::new(Semaphore::new((arguments.limits.max_memory >> 10) as usize)),
        limits: arguments.limits.clone(),
        stopping: AtomicBool::new(false),
    });
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| Start::Listen(arguments.listen, error))?;
    let address = listener.local_addr().map_err(|error| Start::Listen(arguments.listen, error))?;
    // It answers that it is not ready while it loads.
    let loading = std::thread::spawn(move || {
        sources.load_all(&models, &metrics);
        watch(sources, models, metrics);
    });
    drop(loading);
    let scheme = if tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    accept(listener, tls, state).await;
    tracing::info!("stopped");
    Ok(())
}

/// # Errors
/// [`Start`] if a file of keys cannot be read, or is none.
fn access(protection: &Protection) -> Result<Access, Start> {
    let Protection { identities, signed_by, licensed_by } = protection;
    let mut access = Access::new();
    if let Some(path) = identities {
        // Read now, so that a wrong one is told at once, and whenever a model is opened, so that it is not kept.
        Identities::from_file(path)?;
        let path = path.clone();
        access = access.identities(Identities::ask(move || Identities::from_file(&path)));
    }
    if let Some(path) = signed_by {
        access = access.signed(TrustedKeys::from_file(path)?);
    }
    if let Some(path) = licensed_by {
        access = access.licensed(TrustedKeys::from_file(path)?);
    }
    Ok(access)
}

/// Accepts connections until the process is told to stop; then waits for those that are open, but not for ever.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let router = http::router(state.clone());
    let slots = Arc::new(Semaphore::new(state.limits.max_connections as usize));
    let (stop, stopped) = signal::channel(false);
    let open = |(stream, peer): (TcpStream, SocketAddr), slot: OwnedSemaphorePermit| {
        let (router, tls, state, stopped) = (router.clone(), tls.clone(), state.clone(), stopped.clone());
        tokio::spawn(async move {
            state.metrics.connections.inc();
            connect(stream, peer, tls, router, &state, stopped).await;
            state.metrics.connections.dec();
            drop(slot);
        });
    };
    let mut end = std::pin::pin!(told_to_stop());
    let mut refused = 0_u64;
    loop {
        let slot = tokio::select! {
            () = &mut end => break,
            slot = slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let connection = tokio::select! {
            () = &mut end => break,
            connection = listener.accept() => connection,
        };
        match connection {
            Ok(connection) => open(connection, slot),
            Err(error) => {
                // Many times a second, where there are no file handles left.
                if refused.is_multiple_of(1000) {
                    tracing::warn!("a connection was not accepted: {error}");
                }
                refused += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    state.stopping.store(true, Ordering::Relaxed);
    let grace = Duration::from_secs(state.limits.grace);
    tracing::info!("told to stop: open requests have {} seconds", grace.as_secs());
    // Those who were here before count as well, as far as there are slots.
    while let Ok(slot) = slots.clone().try_acquire_owned() {
        match tokio::time::timeout(Duration::from_millis(1), listener.accept()).await {
            Ok(Ok(connection)) => open(connection, slot),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    drop(listener);
    // Their requests are on the way.
    tokio::time::sleep(PAUSE).await;
    let _ = stop.send(true);
    if tokio::time::timeout(grace, slots.acquire_many(state.limits.max_connections)).await.is_err() {
        tracing::warn!("requests that did not end in time were cut off");
    }
}

/// Serves one connection.
async fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    state: &State,
    stopped: signal::Receiver<bool>,
) {
    // Answers are small, and wait for nothing.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, peer, router, state, stopped).await,
        Some(tls) => match tokio::time::timeout(state.timeout(), tls.accept(stream)).await {
            Ok(Ok(stream)) => serve(stream, peer, router, state, stopped).await,
            Ok(Err(error)) => tracing::debug!(%peer, "no TLS: {error}"),
            Err(_) => tracing::debug!(%peer, "no TLS in time"),
        },
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Router,
    state: &State,
    mut stopped: signal::Receiver<bool>,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(state.timeout())
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .half_close(false);
    let mut connection =
        std::pin::pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, state.timeout())), service));
    let told = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "connection: {error}");
    }
}

/// Until the process gets a signal to stop.
async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
