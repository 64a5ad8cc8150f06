//! Near misses of the signed URL: changes by a proxy, or another URL pasted at the provider.

use std::sync::Arc;

use super::attempts::Attempts;
use crate::{callback::Callback, public_url::PublicUrl};

/// The URL for which the signature is valid, if it is one of a fixed list.
pub(super) fn near_miss(attempts: &mut Attempts<'_>, listener: &PublicUrl) -> Option<String> {
    if !attempts.endpoint.spec.signs_url() {
        return None;
    }
    let configured = configured(attempts.callback);
    paths(attempts).or_else(|| {
        let callback = attempts.callback;
        let candidates = configured.iter().flat_map(|url| other_urls(callback, url, listener).into_iter().map(move |to| (url, to)));
        let mut tried: Vec<PublicUrl> = configured.clone();
        for (from, to) in candidates {
            if tried.contains(&to) {
                continue;
            }
            let moved = Callback { public_urls: Arc::from([to.clone()]), ..callback.clone() };
            if attempts.verifies(attempts.endpoint, &moved) {
                return Some(format!(
                    "the signature is valid for {}: set WEBHOOK_BASE_URL to it (it is {from}), or correct the URL at the provider",
                    to.as_written()
                ));
            }
            tried.push(to);
        }
        None
    })
}

/// The configured addresses without their credentials, each once.
fn configured(callback: &Callback) -> Vec<PublicUrl> {
    let mut configured: Vec<PublicUrl> = Vec::new();
    for url in callback.public_urls.iter() {
        if !configured.iter().any(|known| known.to_string() == url.to_string()) {
            configured.push(url.clone());
        }
    }
    configured
}

/// Changes of path and query at the configured addresses.
fn paths(attempts: &mut Attempts<'_>) -> Option<String> {
    let callback = attempts.callback;
    let (path, query) =
        callback.target.split_once('?').map_or((callback.target.as_str(), None), |(path, query)| (path, Some(query)));
    let with = |path: &str, query: Option<&str>| query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let slash = path.strip_suffix('/').map_or_else(
        || (with(&format!("{path}/"), query), "with a slash at the end of its path: remove it at the provider"),
        |path| (with(path, query), "without the slash at the end of its path: a proxy adds it"),
    );
    let mut changes = vec![slash];
    if let Some(query) = query {
        changes.push((path.to_owned(), "without its query: a proxy adds it"));
        changes.push((with(path, Some(&query.replace("%20", "+"))), "with `+` for blanks: a proxy re-encodes the query"));
        changes.push((with(path, Some(&query.replace('+', "%20"))), "with `%20` for blanks: a proxy re-encodes the query"));
    }
    let is_valid = |(target, _): &(String, &str)| {
        *target != callback.target
            && attempts.verifies(attempts.endpoint, &Callback { target: target.clone(), ..callback.clone() })
    };
    let (_, change) = changes.into_iter().find(is_valid)?;
    Some(format!("the signature is valid for the URL {change}"))
}

/// Other origins and prefixes, those that differ least first, each also with the standard ports and the listener's own.
fn other_urls(callback: &Callback, url: &PublicUrl, listener: &PublicUrl) -> Vec<PublicUrl> {
    let forwarded = |name: &str| first(callback, name).map(str::to_owned);
    let other = if url.scheme() == "https" { "http" } else { "https" };
    let schemes = [url.scheme(), other];
    let own = authority(url.host(), url.port());
    let hosts: Vec<String> =
        [Some(own.clone()), forwarded("x-forwarded-host"), forwarded("host")].into_iter().flatten().collect();
    let ports: Vec<u16> =
        [Some(443), Some(80), forwarded("x-forwarded-port").and_then(|port| port.parse().ok()), listener.port()]
            .into_iter()
            .flatten()
            .collect();
    let prefixes = [Some(String::new()), forwarded("x-forwarded-prefix"), Some(url.prefix().repeat(2))];
    let at = |scheme: &str, authority: &str, prefix: &str| url.relocated(scheme, authority, prefix);
    let mut urls = Vec::new();
    for host in &hosts {
        urls.extend(schemes.iter().map(|scheme| at(scheme, host, url.prefix())));
    }
    for prefix in prefixes.iter().flatten() {
        urls.extend(schemes.iter().map(|scheme| at(scheme, &own, prefix)));
    }
    for host in &hosts {
        let Some(without_port) = at(url.scheme(), host, "") else { continue };
        for scheme in schemes {
            urls.push(at(scheme, without_port.host(), url.prefix()));
            urls.extend(ports.iter().map(|port| at(scheme, &authority(without_port.host(), Some(*port)), url.prefix())));
        }
    }
    urls.into_iter().flatten().collect()
}

fn authority(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The first entry of a header that a proxy may have set, if it has plain characters only: a finding may contain it.
fn first<'c>(callback: &'c Callback, name: &str) -> Option<&'c str> {
    let value = std::str::from_utf8(callback.headers.single(name).ok()??).ok()?;
    let first = value.split(',').next()?.trim();
    let (starts, more) = if name == "x-forwarded-prefix" { ("/", "/") } else { ("", ":[]") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || more.contains(c);
    ((1..=255).contains(&first.len()) && first.starts_with(starts) && first.chars().all(is_plain)).then_some(first)
}
