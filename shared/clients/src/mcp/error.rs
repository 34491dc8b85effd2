//! What can go wrong with an MCP server, in words for whoever called it.

use std::fmt;
use std::time::Duration;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use platform::outbound_http::{OutboundError, is_transient_status};
use types::error::{Error, ErrorCode, Kind};
use types::json_cost::MAX_COST;

/// Why a server could not be used. What a server says stands in it masked, and for people: `Debug` goes without.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// No answer, or none that may be read.
    #[error("{0}")]
    Outbound(OutboundError),
    /// The server answered with a status that is no success.
    #[error("the server answered with HTTP {status}{}", details.as_ref().map(|details| format!(": {details}")).unwrap_or_default())]
    Http {
        /// The status.
        status: u16,
        /// What it says of it.
        details: Option<String>,
        /// What it asks to wait.
        retry_after: Option<Duration>,
    },
    /// What came is not the protocol.
    #[error("the server does not keep to the protocol: {0}")]
    Protocol(String),
    /// The server refused the request.
    #[error("the server refused the request ({code}): {message}")]
    Rpc {
        /// JSON-RPC's code.
        code: i64,
        /// What it said.
        message: String,
    },
    /// A stream ended, or broke off for good, before the answer came.
    #[error("the stream of events ended without the answer{}", note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default())]
    Unanswered {
        /// What came instead.
        note: Option<String>,
    },
    /// Time is up.
    #[error("the server did not answer within {0:?}")]
    Timeout(Duration),
    /// What the server offers is more than is kept, or cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl McpError {
    /// Of an answer that is not read, because it would take too much memory.
    pub(super) fn too_many_values() -> Self {
        let limit = MAX_COST / 1024 / 1024;
        Self::Unusable(format!(
            "the answer takes more than {limit} MiB of memory once it is read, because it consists of very many small values; ask \
             for less: a page, a filter or fewer fields"
        ))
    }

    /// Whether trying again may pass: timeouts, broken connections, and the statuses that say so.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Outbound(error) => error.may_pass(),
            Self::Http { status, .. } => is_transient_status(*status),
            Self::Timeout(_) | Self::Unanswered { .. } => true,
            Self::Protocol(_) | Self::Rpc { .. } | Self::Unusable(_) => false,
        }
    }

    /// Whether a stream that ended like this can be taken up where it broke off.
    pub(super) const fn may_be_resumed(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Outbound(OutboundError::Broken(_)))
    }

    /// Whether the server asks for credentials, or for others than it was sent.
    pub(super) const fn asks_for_credentials(&self) -> bool {
        matches!(self, Self::Http { status: 401 | 403, .. })
    }

    /// Whether the session should be given up: the next call opens another.
    pub(super) const fn ends_session(&self) -> bool {
        !matches!(self, Self::Rpc { .. } | Self::Unusable(_))
    }
}

impl From<McpError> for Error {
    fn from(error: McpError) -> Self {
        Self::new(Kind::Invalid, ErrorCode::McpServer, format!("The MCP server cannot be used: {error}."))
    }
}

impl fmt::Debug for McpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outbound(_) => f.write_str("Outbound"),
            Self::Http { status, .. } => write!(f, "Http({status})"),
            Self::Protocol(_) => f.write_str("Protocol"),
            Self::Rpc { code, .. } => write!(f, "Rpc({code})"),
            Self::Unanswered { .. } => f.write_str("Unanswered"),
            Self::Timeout(time) => write!(f, "Timeout({time:?})"),
            Self::Unusable(_) => f.write_str("Unusable"),
        }
    }
}

/// An error on its way through rmcp, which writes the errors of a transport to the log: nothing can be read out of it.
#[derive(Clone)]
pub(super) struct Opaque(pub(super) McpError);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Opaque {}

impl From<ServiceError> for McpError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::TransportSend(error) => of_transport(&error),
            ServiceError::Timeout { timeout } => Self::Timeout(timeout),
            // Whatever else: what servers answer is not rmcp's to read.
            _ => Self::Outbound(OutboundError::Broken("the session ended".to_owned())),
        }
    }
}

impl From<ClientInitializeError> for McpError {
    fn from(error: ClientInitializeError) -> Self {
        match error {
            ClientInitializeError::TransportError { error, .. } => of_transport(&error),
            ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::Cancelled => {
                Self::Outbound(OutboundError::Broken("the connection was closed".to_owned()))
            }
            ClientInitializeError::NoCompatibleProtocolVersion { .. } => {
                Self::Protocol("it speaks no version of the protocol that we do".to_owned())
            }
            _ => Self::Protocol("it did not answer the handshake as it should".to_owned()),
        }
    }
}

fn of_transport(error: &DynamicTransportError) -> McpError {
    match error.error.downcast_ref::<StreamableHttpError<Opaque>>() {
        Some(StreamableHttpError::Client(Opaque(ours))) => ours.clone(),
        Some(StreamableHttpError::SessionExpired) => {
            McpError::Outbound(OutboundError::Broken("the server has forgotten the session".to_owned()))
        }
        Some(_) | None => McpError::Outbound(OutboundError::Broken("the session broke down".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16) -> McpError {
        McpError::Http { status, details: Some("hidden".to_owned()), retry_after: None }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_broke_off_taken_up() {
        let broken = McpError::Outbound(OutboundError::Broken(String::new()));
        let refused = McpError::Outbound(OutboundError::Refused(String::new()));
        let unanswered = McpError::Unanswered { note: None };
        let rpc = McpError::Rpc { code: -32_602, message: String::new() };
        // Which may pass, are resumed, end their session.
        for (error, expected) in [
            (http(503), (true, false, true)),
            (http(429), (true, false, true)),
            (http(400), (false, false, true)),
            (broken, (true, true, true)),
            (unanswered, (true, true, true)),
            (refused, (false, false, true)),
            (rpc, (false, false, false)),
            (McpError::Timeout(Duration::ZERO), (true, false, true)),
        ] {
            let found = (error.may_pass(), error.may_be_resumed(), error.ends_session());
            assert_eq!(found, expected, "{error}");
        }
    }

    #[test]
    fn logs_have_nothing_of_what_servers_say() {
        let rpc = McpError::Rpc { code: 1, message: "hidden".to_owned() };
        for error in [http(400), rpc, McpError::Protocol("hidden".to_owned())] {
            assert!(error.to_string().contains("hidden"), "people read it");
            let opaque = Opaque(error.clone());
            assert!(!format!("{error:?} {opaque:?} {opaque}").contains("hidden"));
        }
    }
}
