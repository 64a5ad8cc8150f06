//! The network of a client, within which it can change its address at no cost.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// All clients of unknown address.
    Unknown,
    /// An IPv4 /24.
    V4(u32),
    /// An IPv6 /48, the greatest network that one client usually has.
    V6(u64),
}

impl From<Option<IpAddr>> for Network {
    fn from(client: Option<IpAddr>) -> Self {
        match client.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address.to_bits() >> 8),
            Some(IpAddr::V6(address)) => {
                let [first, second, third, ..] = address.segments();
                Self::V6([first, second, third].into_iter().fold(0, |bits, segment| bits << 16 | u64::from(segment)))
            }
        }
    }
}

impl fmt::Display for Network {
    /// The address and prefix length; empty for clients of unknown address.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::V4(bits) => write!(formatter, "{}/24", Ipv4Addr::from_bits(bits << 8)),
            Self::V6(bits) => write!(formatter, "{}/48", Ipv6Addr::from_bits(u128::from(*bits) << 80)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_grouped_by_network() {
        let network = |address: &str| Network::from(address.parse().ok());
        for (first, second, is_same) in [
            ("203.0.113.1", "203.0.113.200", true),
            ("203.0.113.1", "203.0.112.1", false),
            ("203.0.113.1", "::ffff:203.0.113.9", true),
            ("2001:db8:1:2::3", "2001:db8:1:ffff::1", true),
            ("2001:db8:1::", "2001:db8:2::", false),
            ("unknown", "?", true),
        ] {
            assert_eq!(network(first) == network(second), is_same, "{first} {second}");
        }
    }

    #[test]
    fn networks_are_written_with_their_prefix() {
        let written = |address: &str| Network::from(address.parse().ok()).to_string();
        assert_eq!(["203.0.113.9", "2001:db8:1:2::3", "?"].map(written), ["203.0.113.0/24", "2001:db8:1::/48", ""]);
    }
}
