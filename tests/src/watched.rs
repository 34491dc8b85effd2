//! A body that is watched.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;

/// A body that notes when somebody asks for it, and then never comes. Clones are of the same.
#[derive(Debug, Clone, Default)]
pub struct WatchedBody(Arc<AtomicBool>);

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.store(true, Ordering::SeqCst);
        Poll::Pending
    }
}

impl WatchedBody {
    /// Whether somebody has asked for it.
    pub fn was_asked_for(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl From<&WatchedBody> for Body {
    fn from(watched: &WatchedBody) -> Self {
        Self::new(watched.clone())
    }
}
