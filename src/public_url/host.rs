//! The host of a public URL: in its canonical form, which is shown, and as it was written, which a provider may sign.

use std::{
    iter,
    net::{IpAddr, Ipv6Addr},
};

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Host {
    canonical: String,
    /// As it was written, if that is another spelling.
    written: Option<String>,
}

impl Host {
    /// A name or an address, with an IPv6 address in brackets; `None` if it is neither.
    pub(super) fn parse(written: &str) -> Option<Self> {
        let canonical = match written.strip_prefix('[') {
            Some(bracketed) => format!("[{}]", bracketed.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
            None => name(written)?,
        };
        let written = (written != canonical).then(|| written.to_owned());
        Some(Self { canonical, written })
    }

    pub(super) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The canonical form, and the one that was written.
    pub(super) fn spellings(&self) -> impl Iterator<Item = &str> {
        iter::once(self.canonical.as_str()).chain(self.written.as_deref())
    }

    pub(super) fn is_loopback(&self) -> bool {
        let address = self.canonical.trim_start_matches('[').trim_end_matches(']');
        self.canonical == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        let canonical = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        Self { canonical, written: None }
    }
}

/// A name in ASCII and lower case, without the dot that ends a complete one.
fn name(written: &str) -> Option<String> {
    let ascii = if written.is_ascii() { written.to_ascii_lowercase() } else { idna::domain_to_ascii(written).ok()? };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    name.split('.').all(is_label).then(|| name.to_owned())
}
