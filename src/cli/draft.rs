//! A recorded callback that is about to be signed for one endpoint, and may be changed before it is.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    event::{CloudEventId, Event},
    fixture::Fixture,
    signature::{Outgoing, Scheme},
    time::Timestamp,
    url_token,
};

/// An unsigned callback and the scheme that is to sign it.
#[derive(Clone)]
pub(super) struct Draft<'e> {
    endpoint: &'e Endpoint,
    unsigned: Outgoing,
    scheme: Option<&'static Scheme>,
    route: &'static str,
}

impl<'e> Draft<'e> {
    /// A recorded callback, to be signed by its own scheme.
    pub(super) fn new(fixture: &Fixture, endpoint: &'e Endpoint, now: Timestamp) -> Self {
        let route = endpoint.spec.routes.iter().find(|route| **route == fixture.request.route).copied().unwrap_or_default();
        Self { endpoint, unsigned: fixture.unsigned(endpoint, now), scheme: fixture.scheme(), route }
    }

    /// The same, to be signed by another scheme.
    pub(super) fn with_scheme(&self, scheme: &'static Scheme) -> Self {
        Self { scheme: Some(scheme), ..self.clone() }
    }

    /// The same with another id of the request, for schemes that sign one.
    pub(super) fn with_request_id(mut self, id: String) -> Self {
        self.unsigned.id = id;
        self
    }

    /// The same with another query and body; `None` if nothing changes, or the body is no text.
    pub(super) fn edited(&self, edit: impl Fn(&str) -> String) -> Option<Self> {
        let Outgoing { target, body, .. } = &self.unsigned;
        let text = std::str::from_utf8(body).ok()?;
        let new_body = edit(text).into_bytes();
        let new_target = match target.split_once('?') {
            // A hash of the body that the query carries is that of the new body.
            Some((path, query)) => format!("{path}?{}", edit(query).replace(&hash(body), &hash(&new_body))),
            None => target.clone(),
        };
        let is_changed = new_body != *body || new_target != *target;
        let unsigned = Outgoing { target: new_target, body: new_body, ..self.unsigned.clone() };
        is_changed.then(|| Self { unsigned, ..self.clone() })
    }

    /// The same with one id instead of another; `None` if it does not contain it.
    pub(super) fn renamed(&self, id: &str, new: &str) -> Option<Self> {
        if id.is_empty() { None } else { self.edited(|text| replace(text, id, new)) }
    }

    /// The whole request, signed at that instant.
    pub(super) fn signed(&self, now: Timestamp) -> Outgoing {
        let mut outgoing = self.unsigned.clone();
        outgoing.seconds = now.seconds();
        if let Some(scheme) = self.scheme {
            self.endpoint.sign(scheme, &mut outgoing);
        }
        outgoing
    }

    /// The events that the endpoint reads from it; `None` if it rejects it or cannot parse it.
    pub(super) fn events(&self, now: Timestamp) -> Option<Vec<Event>> {
        let outgoing = self.signed(now);
        let (path, query) =
            outgoing.target.split_once('?').map_or((outgoing.target.as_str(), None), |(path, query)| (path, Some(query)));
        let (path, token) = path.rsplit_once(url_token::SEGMENT).map_or((path, None), |(path, token)| (path, Some(token)));
        let callback = Callback {
            method: outgoing.method,
            target: query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
            route: self.route,
            url_token: token.and_then(|token| self.endpoint.grant(token)),
            client: None,
            public_urls: Arc::clone(&self.endpoint.public_urls),
            headers: outgoing.headers.into_iter().collect(),
            body: Bytes::from(outgoing.body),
            received_at: Timestamp::from_seconds(outgoing.seconds)?,
        };
        let verified = self.endpoint.verify(&callback).ok()?;
        self.endpoint.parse(&verified).events.ok()
    }
}

/// The external ids of events, and the ids that their sender gave them.
pub(super) fn ids(events: &[Event]) -> BTreeSet<String> {
    let ids_of = |event: &Event| {
        let external = event.external_id.as_ref().map(|id| id.as_str().to_owned());
        let named = event.cloud_event.as_ref().map(|CloudEventId { id, .. }| id.clone());
        external.into_iter().chain(named)
    };
    events.iter().flat_map(ids_of).collect()
}

fn hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Replaces an id where it is a whole word.
fn replace(text: &str, id: &str, new: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(id) {
        out.push_str(before);
        let is_whole =
            !out.ends_with(|c: char| c.is_ascii_alphanumeric()) && !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        out.push_str(if is_whole { new } else { id });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_word_is_replaced() {
        assert_eq!(replace("a=12&b=123&12", "12", "7"), "a=7&b=123&7");
        assert_eq!(replace("x12", "12", "7"), "x12");
    }
}
