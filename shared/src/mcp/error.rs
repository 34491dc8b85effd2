//! What can go wrong with an MCP server, in words for whoever called it.

use std::time::Duration;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::DynamicTransportError;
use rmcp::transport::streamable_http_client::StreamableHttpError;

use crate::error::{Error, Kind};
use crate::outbound_http::OutboundError;
use crate::run::{FailureCode, StepFailure};

/// The most characters of a server's own words in an error.
const LONGEST_QUOTE: usize = 1_000;

/// Why a server could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum McpError {
    /// No answer, or none that may be read.
    #[error("{0}")]
    Outbound(OutboundError),
    /// The server answered with a status that is no success.
    #[error("the server answered with HTTP {status}{}", said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Http {
        /// The status.
        status: u16,
        /// What it said.
        said: Option<String>,
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
        code: i32,
        /// What it said.
        message: String,
    },
    /// Time is up.
    #[error("the server did not answer within {0:?}")]
    Timeout(Duration),
    /// What the server offers is more than is kept, or cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl McpError {
    /// Whether trying again may pass: timeouts, broken connections, and the statuses that say so.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Outbound(error) => error.may_pass(),
            Self::Http { status, .. } => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
            Self::Timeout(_) => true,
            Self::Protocol(_) | Self::Rpc { .. } | Self::Unusable(_) => false,
        }
    }

    /// Whether a stream that ended like this can be taken up where it broke off.
    pub(super) const fn may_be_resumed(&self) -> bool {
        matches!(self, Self::Protocol(_) | Self::Outbound(OutboundError::Broken(_)))
    }

    /// Whether the session should be given up: the next call opens another.
    pub(super) const fn ends_session(&self) -> bool {
        !matches!(self, Self::Rpc { .. } | Self::Unusable(_))
    }

    /// The failure of a step.
    pub fn failure(&self, what: &str) -> StepFailure {
        let code = match self {
            Self::Http { status: 401 | 403, .. } => FailureCode::ConnectionUnavailable,
            _ => FailureCode::McpToolFailed,
        };
        let retry_after = match self {
            Self::Http { retry_after, .. } => *retry_after,
            _ => None,
        };
        let error = format!("{what}: {self}.");
        StepFailure { may_pass: self.may_pass(), retry_after, ..StepFailure::new(code, error) }
    }
}

impl From<McpError> for Error {
    fn from(error: McpError) -> Self {
        Self::new(Kind::Invalid, "MCP_SERVER", format!("The MCP server cannot be used: {error}."))
    }
}

impl From<ServiceError> for McpError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => Self::Rpc { code: error.code.0, message: shown(&error.message) },
            ServiceError::TransportSend(error) => of_transport(&error),
            ServiceError::TransportClosed | ServiceError::Cancelled { .. } => {
                Self::Outbound(OutboundError::Broken("the session ended".to_owned()))
            }
            ServiceError::Timeout { timeout } => Self::Timeout(timeout),
            ServiceError::UnexpectedResponse => {
                Self::Protocol("the answer is to another question".to_owned())
            }
            _ => Self::Protocol("the server asks for what was not offered".to_owned()),
        }
    }
}

impl From<ClientInitializeError> for McpError {
    fn from(error: ClientInitializeError) -> Self {
        match error {
            ClientInitializeError::TransportError { error, .. } => of_transport(&error),
            ClientInitializeError::JsonRpcError(error) => {
                Self::Rpc { code: error.code.0, message: shown(&error.message) }
            }
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
    match error.error.downcast_ref::<StreamableHttpError<McpError>>() {
        Some(StreamableHttpError::Client(ours)) => ours.clone(),
        Some(StreamableHttpError::SessionExpired) => {
            McpError::Outbound(OutboundError::Broken("the server has forgotten the session".to_owned()))
        }
        Some(StreamableHttpError::ReinitializationFailed(error)) => {
            McpError::Rpc { code: error.code.0, message: shown(&error.message) }
        }
        Some(_) | None => McpError::Outbound(OutboundError::Broken("the session broke down".to_owned())),
    }
}

/// Somebody else's words, as an error may show them: bounded, on one line, without control characters.
pub fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = plain.clone().take(LONGEST_QUOTE).collect();
    if plain.count() > LONGEST_QUOTE {
        shown.push('…');
    }
    shown.trim().to_owned()
}
