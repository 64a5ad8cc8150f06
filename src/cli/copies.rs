//! Copies of a recorded callback, signed by what this environment is configured with. Each is a new callback where its
//! payload has an id of its own: that is what the provider's own reader finds, and what is replaced before signing.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use super::{CommandError, random};
use crate::{
    callback::Callback,
    endpoint::Endpoint,
    event::{CloudEventId, Event},
    fixture::Fixture,
    signature::{Outgoing, Scheme, url_token},
    time::Timestamp,
};

/// A callback of which copies are sent.
pub(super) struct Copies<'e> {
    endpoint: &'e Endpoint,
    unsigned: Outgoing,
    scheme: Option<&'static Scheme>,
    route: &'static str,
    /// The ids that make it this callback and no other, the longest first.
    ids: Vec<String>,
}

impl<'e> Copies<'e> {
    /// Signs by the recorded scheme or, where this endpoint has no secret for it, by another that it takes.
    pub(super) fn of(fixture: &Fixture, endpoint: &'e Endpoint, now: Timestamp) -> Result<Self, CommandError> {
        let own = fixture.scheme();
        let others = endpoint.spec.schemes.iter().copied().filter(|other| own.is_none_or(|own| own.name != other.name));
        let route = endpoint.spec.routes.iter().find(|route| **route == fixture.request.route).copied().unwrap_or_default();
        let unsigned = fixture.unsigned(endpoint, now);
        let mut copies = Self { endpoint, unsigned, scheme: own, route, ids: Vec::new() };
        let taken = own.into_iter().chain(others).find_map(|scheme| {
            copies.scheme = Some(scheme);
            copies.events(copies.same(now))
        });
        let Some(events) = taken else {
            // Where it may come from is a proof too, and only the gateway sees that.
            copies.scheme = own;
            return Ok(copies);
        };
        copies.ids = ids(&events).into_iter().filter(|id| copies.renewed(id, id).is_some()).collect();
        copies.ids.sort_by_key(|id| std::cmp::Reverse(id.len()));
        // An id that is a part of something else would break it.
        let is_read_alike = copies.events(copies.next(now)?).is_some_and(|fresh| fresh.len() == events.len());
        if !is_read_alike {
            copies.ids.clear();
        }
        Ok(copies)
    }

    /// Whether every copy is a new callback.
    pub(super) fn are_new(&self) -> bool {
        !self.ids.is_empty()
    }

    /// The recorded callback itself.
    pub(super) fn same(&self, now: Timestamp) -> Outgoing {
        self.sign(self.unsigned.clone(), now)
    }

    /// A new one with ids of its own.
    pub(super) fn next(&self, now: Timestamp) -> Result<Outgoing, CommandError> {
        let mut next = self.unsigned.clone();
        next.id = format!("msg_{}", hex::encode(random::<12>()?));
        for id in &self.ids {
            if let Some((target, body)) = replaced(&next, id, &fresh(id)?) {
                (next.target, next.body) = (target, body);
            }
        }
        Ok(self.sign(next, now))
    }

    fn renewed(&self, id: &str, fresh: &str) -> Option<(String, Vec<u8>)> {
        replaced(&self.unsigned, id, fresh)
    }

    fn sign(&self, mut outgoing: Outgoing, now: Timestamp) -> Outgoing {
        outgoing.seconds = now.seconds();
        if let Some(scheme) = self.scheme {
            self.endpoint.sign(scheme, &mut outgoing);
        }
        outgoing
    }

    /// What the endpoint would read out of it; nothing if it would not believe it.
    fn events(&self, outgoing: Outgoing) -> Option<Vec<Event>> {
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
        self.endpoint.parse(&verified).ok()
    }
}

/// The ids of what the events are about, and those their sender gave them.
fn ids(events: &[Event]) -> BTreeSet<String> {
    let of = |event: &Event| {
        let external = event.external_id.as_ref().map(|id| id.as_str().to_owned());
        let named = event.cloud_event.as_ref().map(|CloudEventId { id, .. }| id.clone());
        external.into_iter().chain(named)
    };
    events.iter().flat_map(of).collect()
}

/// Path with query, and body, with one id instead of another; nothing if it is in neither.
fn replaced(outgoing: &Outgoing, id: &str, fresh: &str) -> Option<(String, Vec<u8>)> {
    let body = String::from_utf8(outgoing.body.clone()).ok()?;
    let (path, query) = outgoing.target.split_once('?').unwrap_or((&outgoing.target, ""));
    let (new_query, in_query) = replace(query, id, fresh);
    let (new_body, in_body) = replace(&body, id, fresh);
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{new_query}") };
    (in_query || in_body).then(|| (target, new_body.into_bytes()))
}

/// Replaces an id where it stands for itself and is no part of a longer word; whether it was there.
fn replace(text: &str, id: &str, fresh: &str) -> (String, bool) {
    let (mut out, mut rest, mut found) = (String::with_capacity(text.len()), text, false);
    while let Some((before, after)) = rest.split_once(id) {
        out.push_str(before);
        let is_whole =
            !out.ends_with(|c: char| c.is_ascii_alphanumeric()) && !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        out.push_str(if is_whole { fresh } else { id });
        found |= is_whole;
        rest = after;
    }
    out.push_str(rest);
    (out, found)
}

/// Characters that must change, lest two copies get the same id.
const ENOUGH: usize = 12;

/// Another id of the same form: from its first digit on, digits become other digits and hexadecimal letters others of their case. A
/// short one gets more at its end.
fn fresh(id: &str) -> Result<String, CommandError> {
    let bytes = random::<256>()?;
    let mut random = bytes.iter().copied().cycle();
    let mut pick = |from: &[u8]| {
        let place = usize::from(random.next().unwrap_or_default()) % from.len();
        from.get(place).copied().map_or('0', char::from)
    };
    let start = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    let (mut out, mut changed) = (id.get(..start).unwrap_or_default().to_owned(), 0);
    for c in id.get(start..).unwrap_or_default().chars() {
        let choice: &[u8] = match c {
            // No zero comes or goes: a number must not begin with one.
            '1'..='9' => b"123456789",
            'a'..='f' => b"abcdef",
            'A'..='F' => b"ABCDEF",
            _ => b"",
        };
        changed += usize::from(!choice.is_empty());
        out.push(if choice.is_empty() { c } else { pick(choice) });
    }
    while changed < ENOUGH {
        out.push(pick(b"0123456789"));
        changed += 1;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_has_the_form_of_the_old_one() {
        for id in ["SM9b3064ff76e573c89d547e13314674df", "b85f59ee-9087-5978-bd72-0b4b8da31b92", "2E134187F349386D", "1", "msg_x"]
        {
            let (one, other) = (fresh(id).unwrap(), fresh(id).unwrap());
            assert!(one != other && one != id, "{one} {other}");
            let class = |c: char| if c.is_ascii_digit() { '1' } else { c.to_ascii_lowercase() };
            let form =
                |id: &str| id.chars().map(class).map(|c| if ('a'..='f').contains(&c) { 'a' } else { c }).collect::<String>();
            assert!(form(&one).starts_with(&form(id)), "{id} {one}");
        }
    }

    #[test]
    fn only_a_whole_word_is_replaced() {
        assert_eq!(replace("a=12&b=123&12", "12", "7"), ("a=7&b=123&7".to_owned(), true));
        assert_eq!(replace("x12", "12", "7"), ("x12".to_owned(), false));
    }
}
