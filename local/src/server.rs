//! The port: serves as many connections at a time as there is room for, and ends those that stand still, so that nobody
//! holds a place by saying nothing. (The API Gateway does this before the functions.) Bodies have a deadline in `api`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use shared::services::limits::MAX_REQUESTS;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// A pause after no connection could be taken, as when the process has no file left.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many there may be at a time; others wait to be taken.
    pub count: usize,
    /// How long one may be without a whole head of a request: from its begin, and after each answer.
    pub head: Duration,
    /// How long its peer may take none of an answer.
    pub answer: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { count: MAX_REQUESTS, head: Duration::from_secs(30), answer: Duration::from_secs(30) }
    }
}

/// Serves until `stop` changes, then takes no more and waits for the requests under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.count));
    let open = GracefulShutdown::new();
    loop {
        let (stream, place) = tokio::select! {
            Some(taken) = next(&listener, &places) => taken,
            _ = stop.changed() => break,
            else => break,
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.answer));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD);
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection was ended");
            }
            drop(place);
        });
    }
    drop(listener);
    open.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}
