//! The address of a client in the headers of proxies.
//!
//! A list is read from the right, and entries of trusted proxies are skipped: entries to the left of the first other address were written
//! by that client. Nothing in those may change how the entries to their right are read, so no quote or byte in them does.
//!
//! Sources, read 2026-11-28: RFC 7239, sections 4 to 6 (`Forwarded`, nodes); RFC 9110, section 5.6.1 (empty elements); RFC 4007, section
//! 11.2 (zones); Azure Application Gateway, which adds ports to `X-Forwarded-For`
//! (learn.microsoft.com/azure/application-gateway/how-application-gateway-works).

use std::{borrow::Cow, iter, net::IpAddr};

use ipnet::IpNet;

/// The proxies whose headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    pub networks: Vec<IpNet>,
    /// The header in which they pass the client's address.
    pub header: ClientIpHeader,
}

impl TrustedProxies {
    /// True if the headers of that address are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&peer))
    }
}

/// The header of trusted proxies that has the client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum ClientIpHeader {
    #[default]
    XForwardedFor,
    Forwarded,
    XRealIp,
}

impl ClientIpHeader {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The client of a trusted proxy, from the values of the header in their order. Without one it is the proxy itself. `None` if the entry
    /// that decides has no address.
    pub fn client<'v, V: DoubleEndedIterator<Item = &'v [u8]>>(
        self,
        proxy: IpAddr,
        mut values: V,
        trusts: impl Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => {
                let entries = values.rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
                nearest(proxy, entries.filter(|entry| !is_blank(entry)).map(address), trusts)
            }
            Self::Forwarded => {
                let elements = values.rev().flat_map(|value| rsplit_unquoted(value, b','));
                nearest(proxy, elements.filter(|element| !is_blank(element)).map(forwarded_for), trusts)
            }
            Self::XRealIp => match (values.next(), values.next()) {
                (None, _) => Some(proxy),
                (Some(value), None) => address(value),
                // The client may have sent one of them.
                (Some(_), Some(_)) => None,
            },
        }
    }
}

/// The first address of a list that is not a trusted proxy's, or the last of it.
fn nearest(proxy: IpAddr, addresses: impl Iterator<Item = Option<IpAddr>>, trusts: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut client = proxy;
    for address in addresses {
        if !trusts(client) {
            break;
        }
        client = address?;
    }
    Some(client)
}

/// The address of a node: with or without brackets, a port, a zone and quotes. `unknown` and obfuscated names have none.
fn address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node.trim_ascii()).ok()?;
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map_or(text, str::trim);
    let host = match (text.strip_prefix('['), text.split_once(':')) {
        (Some(bracketed), _) => {
            let (host, port) = bracketed.split_once(']')?;
            (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(host)?
        }
        (None, Some((host, port))) if is_port(port) => host,
        _ => text,
    };
    match host.split_once('%') {
        Some((_, "")) => None,
        Some((address, _)) => address.parse().ok().filter(IpAddr::is_ipv6),
        None => host.parse().ok(),
    }
    .map(|address| address.to_canonical())
}

/// True for a port, as a number or obfuscated.
fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || text.strip_prefix('_').is_some_and(|name| !name.is_empty() && !name.contains(':'))
}

/// The client of an element of `Forwarded`, if it has exactly one `for`.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let pairs = rsplit_unquoted(element, b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(at)?;
        name.trim_ascii().eq_ignore_ascii_case(b"for").then_some(value.get(1..)?)
    });
    let mut values = pairs;
    let (value, None) = (values.next()?, values.next()) else { return None };
    address(&without_escapes(value))
}

fn without_escapes(value: &[u8]) -> Cow<'_, [u8]> {
    if value.contains(&b'\\') { value.iter().copied().filter(|byte| *byte != b'\\').collect() } else { Cow::Borrowed(value) }
}

/// The parts between separators outside of quoted strings, from the right.
fn rsplit_unquoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    iter::from_fn(move || {
        let text = rest?;
        let split = last_unquoted(text, separator).and_then(|at| text.split_at_checked(at));
        rest = split.map(|(before, _)| before);
        Some(split.map_or(text, |(_, part)| part.get(1..).unwrap_or_default()))
    })
}

fn last_unquoted(text: &[u8], separator: u8) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        if *byte == separator && !is_quoted {
            return Some(at);
        }
        let escapes = || text.iter().take(at).rev().take_while(|before| **before == b'\\').count();
        if *byte == b'"' && escapes() % 2 == 0 {
            is_quoted = !is_quoted;
        }
    }
    None
}

fn is_blank(entry: &[u8]) -> bool {
    entry.trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: [&str; 2] = ["127.0.0.1", "198.51.100.1"];

    fn client(header: ClientIpHeader, values: &[&[u8]]) -> Option<String> {
        let is_proxy = |address: IpAddr| PROXIES.contains(&address.to_string().as_str());
        let proxy = "127.0.0.1".parse().expect("an address");
        header.client(proxy, values.iter().copied(), is_proxy).map(|address| address.to_string())
    }

    #[test]
    fn every_form_of_a_node_is_read() {
        for (node, address) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7:443", Some("203.0.113.7")),
            ("203.0.113.7:_hidden", Some("203.0.113.7")),
            ("\"203.0.113.7:443\"", Some("203.0.113.7")),
            ("[203.0.113.7]", Some("203.0.113.7")),
            ("2001:db8::7", Some("2001:db8::7")),
            ("2001:DB8:0:0:0:0:0:7", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("[2001:db8::7]:443", Some("2001:db8::7")),
            ("\"[2001:db8::7]\"", Some("2001:db8::7")),
            ("\"[2001:db8::7]:_x\"", Some("2001:db8::7")),
            ("\t [2001:db8::7] ", Some("2001:db8::7")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("[fe80::1%25eth0]:80", Some("fe80::1")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("[::ffff:cb00:7107]:80", Some("203.0.113.7")),
            ("unknown", None),
            ("unknown:443", None),
            ("_hidden", None),
            ("\"_SEVKISEK\"", None),
            ("[2001:db8::7", None),
            ("2001:db8::7]", None),
            ("[2001:db8::7]443", None),
            ("[2001:db8::7]:", None),
            ("203.0.113.7:", None),
            ("203.0.113.7:123456", None),
            ("203.0.113.7%eth0", None),
            ("fe80::1%", None),
            ("203.0.113.007", None),
            ("203.0.113", None),
            ("203.0.113.7/32", None),
            ("hooks.example.com", None),
            ("\"", None),
            ("[]", None),
        ] {
            assert_eq!(client(ClientIpHeader::XForwardedFor, &[node.as_bytes()]).as_deref(), address, "{node}");
            assert_eq!(client(ClientIpHeader::XRealIp, &[node.as_bytes()]).as_deref(), address, "{node}");
        }
    }

    #[test]
    fn forwarded_for_is_read_from_the_right() {
        let read = |values: &[&[u8]]| client(ClientIpHeader::XForwardedFor, values);
        for (values, address) in [
            (&[][..], Some("127.0.0.1")),
            (&[&b""[..]], Some("127.0.0.1")),
            (&[b"203.0.113.7, [2001:db8::1]"], Some("2001:db8::1")),
            (&[b"[2001:db8::1], 198.51.100.1:80"], Some("2001:db8::1")),
            (&[b"203.0.113.7, , 198.51.100.1,"], Some("203.0.113.7")),
            (&[b"203.0.113.7", b"198.51.100.1"], Some("203.0.113.7")),
            (&[b"198.51.100.1"], Some("198.51.100.1")),
            (&[b"203.0.113.7, unknown"], None),
            (&[b"203.0.113.7, unknown, 198.51.100.1"], None),
            // What a client sends itself is to the left, and changes nothing.
            (&[b"unknown, 203.0.113.7"], Some("203.0.113.7")),
            (&[b"\"x, 203.0.113.7"], Some("203.0.113.7")),
            (&[b"\xff\xfe, 203.0.113.7"], Some("203.0.113.7")),
            (&[b"\xff", b"203.0.113.7"], Some("203.0.113.7")),
        ] {
            assert_eq!(read(values).as_deref(), address, "{values:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_in_rfc_7239() {
        let read = |values: &[&[u8]]| client(ClientIpHeader::Forwarded, values);
        for (values, address) in [
            (&[][..], Some("127.0.0.1")),
            (&[&b"for=203.0.113.7"[..]], Some("203.0.113.7")),
            (&[b"For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            (&[b"FOR=203.0.113.7;proto=http;by=203.0.113.43"], Some("203.0.113.7")),
            (&[b"by=203.0.113.43 ; host=\"a;for=10.0.0.1,for=10.0.0.2\" ; for=203.0.113.7"], Some("203.0.113.7")),
            (&[b"for=192.0.2.43, for=203.0.113.7"], Some("203.0.113.7")),
            (&[b"for=203.0.113.7, for=198.51.100.1"], Some("203.0.113.7")),
            (&[b"for=192.0.2.43", b"for=203.0.113.7;by=127.0.0.1, FOR=\"198.51.100.1:80\""], Some("203.0.113.7")),
            (&[b"for=203.0.113.7,,"], Some("203.0.113.7")),
            (&[b"for=[2001:db8::7]"], Some("2001:db8::7")),
            (&[b"for=2001:db8::7"], Some("2001:db8::7")),
            (&[b"for=\"\\[2001:db8::7\\]\""], Some("2001:db8::7")),
            (&[b"for=unknown"], None),
            (&[b"for=_gazonk"], None),
            (&[b"for=\"_gazonk\", for=198.51.100.1"], None),
            (&[b"proto=https"], None),
            (&[b"for=203.0.113.7, proto=https"], None),
            (&[b"for=203.0.113.7;for=192.0.2.43"], None),
            (&[b"203.0.113.7"], None),
            (&[b"xfor=203.0.113.7"], None),
            // What a client sends itself is to the left, and changes nothing.
            (&[b"for=\"x, for=203.0.113.7"], Some("203.0.113.7")),
            (&[b"for=x\\, for=\"[2001:db8::7]\""], Some("2001:db8::7")),
            (&[b"for=x;=\\\", for=\"203.0.113.7:80\";proto=https"], Some("203.0.113.7")),
            (&[b"\xff\", for=203.0.113.7"], Some("203.0.113.7")),
        ] {
            let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
            assert_eq!(read(values).as_deref(), address, "{shown:?}");
        }
    }

    proptest::proptest! {
        /// A proxy appends to what the client sent, in the same line or in one of its own.
        #[test]
        fn text_of_the_client_changes_nothing(text in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            for (header, entry) in [(ClientIpHeader::XForwardedFor, "[2001:db8::7]:443"), (ClientIpHeader::Forwarded, "for=\"[2001:db8::7]:443\"")] {
                let appended = [&text, &b", "[..], entry.as_bytes()].concat();
                assert_eq!(client(header, &[&appended]).as_deref(), Some("2001:db8::7"));
                assert_eq!(client(header, &[&text, entry.as_bytes()]).as_deref(), Some("2001:db8::7"));
            }
        }
    }

    #[test]
    fn real_ip_is_one_address() {
        let read = |values: &[&[u8]]| client(ClientIpHeader::XRealIp, values);
        assert_eq!(read(&[]).as_deref(), Some("127.0.0.1"));
        assert_eq!(read(&[b"203.0.113.7", b"203.0.113.7"]), None);
        assert_eq!(read(&[b"203.0.113.7, 192.0.2.1"]), None);
        assert_eq!(read(&[b""]), None);
    }
}
