//! Near misses of the signed URL: what a proxy in front, or the address pasted at the provider, may have made of it.

use std::sync::Arc;

use super::trial::Trial;
use crate::{callback::Callback, public_url::PublicUrl};

/// The URL for which the signature is right, if it is one of the fixed list.
pub(super) fn near_miss(trial: &mut Trial<'_>, listener: &PublicUrl) -> Option<String> {
    if !trial.endpoint.spec.signs_url() {
        return None;
    }
    let configured = configured(trial.callback);
    paths(trial).or_else(|| {
        let callback = trial.callback;
        let candidates = configured.iter().flat_map(|url| elsewhere(callback, url, listener).into_iter().map(move |to| (url, to)));
        let mut tried: Vec<PublicUrl> = configured.clone();
        for (from, to) in candidates {
            if tried.contains(&to) {
                continue;
            }
            let moved = Callback { public_urls: Arc::from([to.clone()]), ..callback.clone() };
            if trial.is_right(trial.endpoint, &moved) {
                return Some(format!(
                    "the signature is right for {to}: WEBHOOK_BASE_URL must say that (it says {from}), or the URL at the provider \
                     must be another"
                ));
            }
            tried.push(to);
        }
        None
    })
}

/// The configured addresses, each once, whatever credentials may be in it.
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
fn paths(trial: &mut Trial<'_>) -> Option<String> {
    let callback = trial.callback;
    let (path, query) =
        callback.target.split_once('?').map_or((callback.target.as_str(), None), |(path, query)| (path, Some(query)));
    let with = |path: &str, query: Option<&str>| query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let slash = path.strip_suffix('/').map_or_else(
        || (with(&format!("{path}/"), query), "with a slash at the end of its path: paste it at the provider without"),
        |path| (with(path, query), "without the slash at the end of its path: a proxy adds it"),
    );
    let mut changes = vec![slash];
    if let Some(query) = query {
        changes.push((path.to_owned(), "without its query: a proxy adds that"));
        changes.push((with(path, Some(&query.replace("%20", "+"))), "with `+` for blanks: a proxy spells the query anew"));
        changes.push((with(path, Some(&query.replace('+', "%20"))), "with `%20` for blanks: a proxy spells the query anew"));
    }
    let is_right = |(target, _): &(String, &str)| {
        *target != callback.target && trial.is_right(trial.endpoint, &Callback { target: target.clone(), ..callback.clone() })
    };
    let (_, says) = changes.into_iter().find(is_right)?;
    Some(format!("the signature is right for the URL {says}"))
}

/// Other origins and prefixes, those that differ least first. The standard ports, and the own one, are tried with each of them.
fn elsewhere(callback: &Callback, url: &PublicUrl, listener: &PublicUrl) -> Vec<PublicUrl> {
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
    let at = |scheme: &str, authority: &str, prefix: &str| url.moved(scheme, authority, prefix);
    let mut places = Vec::new();
    for host in &hosts {
        places.extend(schemes.iter().map(|scheme| at(scheme, host, url.prefix())));
    }
    for prefix in prefixes.iter().flatten() {
        places.extend(schemes.iter().map(|scheme| at(scheme, &own, prefix)));
    }
    for host in &hosts {
        let Some(bare) = at(url.scheme(), host, "") else { continue };
        for scheme in schemes {
            places.push(at(scheme, bare.host(), url.prefix()));
            places.extend(ports.iter().map(|port| at(scheme, &authority(bare.host(), Some(*port)), url.prefix())));
        }
    }
    places.into_iter().flatten().collect()
}

fn authority(host: &str, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The first entry of a header that a proxy may have set, if it is plain: it may come to stand in a sentence.
fn first<'c>(callback: &'c Callback, name: &str) -> Option<&'c str> {
    let value = std::str::from_utf8(callback.headers.sole(name).ok()??).ok()?;
    let first = value.split(',').next()?.trim();
    let (starts, more) = if name == "x-forwarded-prefix" { ("/", "/") } else { ("", ":[]") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || more.contains(c);
    ((1..=255).contains(&first.len()) && first.starts_with(starts) && first.chars().all(is_plain)).then_some(first)
}
