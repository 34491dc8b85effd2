//! Which addresses a deployment calls: the public ones, private ones where it says so, and some never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What kind of address this is, as far as it matters to whom we call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anybody's.
    Public,
    /// This machine's or a private network's: loopback, RFC 1918, carrier-grade NAT, unique local.
    Private,
    /// Nobody's that a workflow has business with: link-local with the metadata services on it, multicast,
    /// unspecified, reserved.
    Never,
}

/// The kind of an address. IPv6 addresses that carry an IPv4 address (mapped, compatible, NAT64, 6to4) are of
/// that one's kind.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => match carried(v6) {
            Some(v4) => reach_v4(v4),
            None => reach_v6(v6),
        },
    }
}

fn reach_v4(v4: Ipv4Addr) -> Reach {
    let [a, b, c, _] = v4.octets();
    match (a, b, c) {
        (127 | 10, ..) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) => Reach::Private,
        // "This" network, link-local, IETF protocols, documentation (three), 6to4 relays, benchmarks, multicast
        // and what is reserved, with broadcast.
        (0, ..)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (198, 51, 100)
        | (203, 0, 113)
        | (192, 88, 99)
        | (198, 18..=19, _)
        | (224.., ..) => Reach::Never,
        _ => Reach::Public,
    }
}

fn reach_v6(v6: Ipv6Addr) -> Reach {
    /// Where Amazon's metadata service answers on IPv6, in the range of unique local addresses.
    const METADATA: [u16; 8] = [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
    let segments = v6.segments();
    match segments[0] {
        _ if v6.is_loopback() => Reach::Private,
        _ if segments == METADATA => Reach::Never,
        0xfc00..=0xfdff => Reach::Private,
        // Documentation and Teredo, which tunnels to whomever it names.
        0x2001 if segments[1] == 0xdb8 || segments[1] == 0 => Reach::Never,
        // The one range of global unicast addresses.
        0x2000..=0x3ffe => Reach::Public,
        _ => Reach::Never,
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn carried(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        // Mapped, and compatible (deprecated; `::` and `::1` are not such).
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        // Translated (SIIT), and NAT64.
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// What a deployment allows beside public addresses: a host, all hosts below one (`.internal.example`), or a
/// range of addresses (`10.1.0.0/16`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// This host, whatever it resolves to; with a leading dot all hosts below it.
    Host(String),
    /// Addresses whose first bits are these.
    Range(IpAddr, u8),
}

/// A text that names neither a host nor a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a host, nor .a-domain, nor an address with /bits")]
pub struct InvalidAllowed(String);

impl FromStr for Allowed {
    type Err = InvalidAllowed;

    fn from_str(text: &str) -> Result<Self, InvalidAllowed> {
        let invalid = || InvalidAllowed(text.to_owned());
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| invalid())?;
            let bits: u8 = bits.parse().map_err(|_| invalid())?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            return if bits <= most { Ok(Self::Range(address, bits)) } else { Err(invalid()) };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Range(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        match !text.is_empty() && text.chars().all(is_plain) {
            true => Ok(Self::Host(text.to_ascii_lowercase())),
            false => Err(invalid()),
        }
    }
}

impl Allowed {
    pub(super) fn has_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Host(domain) if domain.starts_with('.') => host.ends_with(domain.as_str()),
            Self::Host(name) => host == *name,
            Self::Range(..) => false,
        }
    }

    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        let Self::Range(of, bits) = self else { return false };
        let bits = u32::from(*bits);
        match (of, address.to_canonical()) {
            (IpAddr::V4(of), IpAddr::V4(address)) => {
                (of.to_bits() ^ address.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(of), IpAddr::V6(address)) => {
                (of.to_bits() ^ address.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_public_however_they_are_written() {
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
        {
            assert_eq!(reach_of(public), Reach::Public, "{public}");
        }
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fc00::1",
            "fd12::1",
            "::ffff:10.0.0.1",
            "::ffff:7f00:1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "::10.0.0.1",
        ] {
            assert_eq!(reach_of(private), Reach::Private, "{private}");
        }
        for never in [
            "169.254.169.254",
            "169.254.170.2",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "fe80::1",
            "ff02::1",
            "fec0::1",
            "fd00:ec2::254",
            "2001:db8::1",
            "2001::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:169.254.169.254",
        ] {
            assert_eq!(reach_of(never), Reach::Never, "{never}");
        }
    }

    #[test]
    fn a_deployment_allows_hosts_domains_and_ranges() {
        let allowed = |text: &str| text.parse::<Allowed>().unwrap();
        assert!(allowed("mcp.internal").has_host("MCP.internal."));
        assert!(!allowed("mcp.internal").has_host("x.mcp.internal"));
        assert!(allowed(".internal").has_host("mcp.internal"));
        assert!(!allowed(".internal").has_host("internal"));
        assert!(!allowed(".internal").has_host("mcp.external"));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(allowed("10.1.0.0/16").has_address(address("10.1.255.1")));
        assert!(allowed("10.1.0.0/16").has_address(address("::ffff:10.1.0.1")));
        assert!(!allowed("10.1.0.0/16").has_address(address("10.2.0.1")));
        assert!(allowed("10.1.2.3").has_address(address("10.1.2.3")));
        assert!(allowed("0.0.0.0/0").has_address(address("8.8.8.8")));
        assert!(allowed("fd00::/8").has_address(address("fd12::1")));
        assert!(!allowed("fd00::/8").has_address(address("fe80::1")));
        for wrong in ["", "10.0.0.0/33", "a/8", "two words", "https://x"] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }
}
