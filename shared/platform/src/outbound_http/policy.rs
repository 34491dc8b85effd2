//! What a deployment allows its workflows to call.

use std::net::IpAddr;

use reqwest::Url;

use super::OutboundError;
use super::address::{Allowed, Reach, reach};

/// The longest URL.
const LONGEST_URL: usize = 2_048;

/// What a deployment allows its workflows to call. The default: `https`, and public addresses only.
#[derive(Debug, Clone, Default)]
pub struct OutboundPolicy {
    /// Also this machine and private networks, and `http`. Link-local addresses, with the metadata services on
    /// them, stay out.
    pub allow_private: bool,
    /// Also `http`.
    pub allow_http: bool,
    /// These as well, whatever they are.
    pub allowed: Vec<Allowed>,
}

impl OutboundPolicy {
    /// From the texts of the environment: `true` or nothing, and a list with commas. What cannot be read of the
    /// list is left out, with a warning: a typing error must not open anything.
    pub fn of_texts(allow_private: &str, allow_http: &str, allowed: &str) -> Self {
        let entries = allowed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let read = |entry: &str| match entry.parse() {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::warn!(%error, "an entry of the list of allowed addresses is left out");
                None
            }
        };
        Self {
            allow_private: allow_private == "true",
            allow_http: allow_http == "true",
            allowed: entries.filter_map(read).collect(),
        }
    }

    /// Reads an address as far as it can be judged without asking for its name's addresses.
    ///
    /// # Errors
    /// Refused, saying why.
    pub fn url(&self, text: &str) -> Result<Url, OutboundError> {
        let refused = |why: &str| OutboundError::Refused(why.to_owned());
        if text.len() > LONGEST_URL {
            return Err(refused("the URL is longer than 2,048 characters"));
        }
        let url: Url = text.parse().map_err(|_| refused("this is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("credentials must not stand in the URL; use a connection"));
        }
        let Some(host) = url.host_str() else { return Err(refused("the URL names no host")) };
        let is_listed = self.allowed.iter().any(|entry| entry.has_host(host));
        // An IPv6 address stands in brackets.
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http || self.allow_private || is_listed => {}
            "http" if literal.is_some_and(|address| self.is_listed(address)) => {}
            "http" => return Err(refused("this deployment allows https only")),
            _ => return Err(refused("the URL must begin with https://")),
        }
        if let Some(address) = literal {
            self.address(host, address)?;
        }
        Ok(url)
    }

    fn is_listed(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|entry| entry.has_address(address))
    }

    /// Whether this address of this host may be called.
    ///
    /// # Errors
    /// Refused, saying why.
    pub(super) fn address(&self, host: &str, address: IpAddr) -> Result<(), OutboundError> {
        if self.is_listed(address) || self.allowed.iter().any(|entry| entry.has_host(host)) {
            return Ok(());
        }
        match reach(address) {
            Reach::Public => Ok(()),
            Reach::Private if self.allow_private => Ok(()),
            Reach::Private => Err(OutboundError::Refused(format!(
                "{host} has the address of a private network or of this machine, which this deployment does not call"
            ))),
            Reach::Never => Err(OutboundError::Refused(format!(
                "{host} has a link-local, metadata or reserved address, which is never called"
            ))),
        }
    }
}
