//! One authentic callback on its way into the store.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    callback::{Callback, VerifiedCallback},
    endpoint::{Endpoint, UnknownMessage},
    event::Event,
    form::Form,
    provider::{InvalidPayload, Unparsable},
    signature::{RequestKey, url_token},
    text,
    time::Timestamp,
};

/// The answer a request got, and every retry of it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Success,
    /// 400 `invalid_payload`.
    InvalidPayload,
    /// 404 `not_found`: the application has not registered the message.
    NotFound,
}

impl Answer {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Success => 200,
            Self::InvalidPayload => 400,
            Self::NotFound => 404,
        }
    }

    pub(super) fn from_code(code: i64) -> Self {
        match code {
            400 => Self::InvalidPayload,
            404 => Self::NotFound,
            _ => Self::Success,
        }
    }
}

/// An authentic callback with what was read out of it. It can only be made from a verified callback.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) service_type: &'static str,
    pub(super) account: String,
    pub(super) request_key: RequestKey,
    pub(super) verified_by: String,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: String,
    pub(super) body: Bytes,
    pub(super) received_at: Timestamp,
    pub(super) unknown_message: UnknownMessage,
    pub(super) reading: Reading,
}

/// Whence an event came, as far as its rows tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'r> {
    pub(super) service_type: &'static str,
    pub(super) account: &'r str,
    pub(super) verified_by: &'r str,
    pub(super) received_at: Timestamp,
}

/// What was read out of a callback.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// The events it carries; none is a success too.
    Events(Vec<Event>),
    /// Authentic, kept and not applied.
    Quarantined { reason: String, answer: Answer },
}

/// What of a record may stand in a log.
#[derive(Debug)]
pub struct Summary {
    /// Whether it is kept and not applied.
    pub is_quarantined: bool,
    /// The type of its first event.
    pub event_type: &'static str,
    /// The provider's id in its first event.
    pub external_id: Option<String>,
}

/// Headers kept of every provider's requests, besides its own list. Never credentials, signatures or cookies.
pub(super) const KEPT_HEADERS: [&str; 2] = ["content-type", "user-agent"];

/// The path and query without what may be a credential of the operator's own.
pub(super) fn masked(callback: &Callback) -> String {
    let (path, query) =
        callback.target.split_once('?').map_or((callback.target.as_str(), None), |(path, query)| (path, Some(query)));
    let path = match path.rsplit_once(url_token::SEGMENT) {
        Some((path, _)) if callback.url_token.is_some() => format!("{path}{}***", url_token::SEGMENT),
        _ => path.to_owned(),
    };
    let Some(query) = query else { return path };
    // However the name is escaped.
    let is_credential = |pair: &str| {
        let names = ["secret", "token"];
        Form::decode(pair.as_bytes()).is_some_and(|pair| {
            pair.pairs().any(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())))
        })
    };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_credential(pair) => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
}

impl Record {
    /// Everything of an authentic callback that is worth keeping, whatever could be read out of it.
    pub fn new(endpoint: &Endpoint, callback: &VerifiedCallback<'_>, parsed: Result<Vec<Event>, Unparsable>) -> Self {
        let mut headers: Map<String, Value> = callback.headers.keep(&KEPT_HEADERS);
        headers.extend(callback.headers.keep(endpoint.spec.kept_headers));
        let reading = match parsed {
            Ok(events) => Reading::Events(events),
            Err(unparsable) => Reading::Quarantined {
                reason: unparsable.to_string(),
                answer: match (unparsable, endpoint.invalid_payload) {
                    (Unparsable::Invalid(_), InvalidPayload::BadRequest) => Answer::InvalidPayload,
                    (Unparsable::Ambiguous(_), _) | (_, InvalidPayload::Accept) => Answer::Success,
                },
            },
        };
        Self {
            service_type: endpoint.spec.name,
            account: endpoint.account.as_str().to_owned(),
            request_key: callback.proof().request_key(),
            verified_by: callback.proof().verified_by(),
            method: callback.method.clone(),
            url: text::clean(&masked(callback)).into_owned(),
            headers: Value::Object(headers).to_string(),
            body: callback.body.clone(),
            received_at: callback.received_at,
            unknown_message: endpoint.unknown_message,
            reading,
        }
    }

    /// What of it may stand in a log.
    pub fn summary(&self) -> Summary {
        let first = self.events().first();
        Summary {
            is_quarantined: self.is_quarantined(),
            event_type: first.map_or("none", |event| event.event_type.into()),
            external_id: first.and_then(|event| event.external_id.as_ref()).map(|id| id.as_str().to_owned()),
        }
    }

    /// Why it is kept and not applied, if it is.
    pub fn unread(&self) -> Option<&str> {
        match &self.reading {
            Reading::Events(_) => None,
            Reading::Quarantined { reason, .. } => Some(reason),
        }
    }

    pub(super) fn source(&self) -> Source<'_> {
        let Self { service_type, account, verified_by, received_at, .. } = self;
        Source { service_type, account, verified_by, received_at: *received_at }
    }

    /// About how much memory it holds.
    pub(super) fn size(&self) -> usize {
        // A row of an event is not much less when the event is.
        const EVENT: usize = 2 << 10;
        self.body.len() + self.url.len() + self.headers.len() + self.events().len() * EVENT
    }

    pub(super) fn events(&self) -> &[Event] {
        match &self.reading {
            Reading::Events(events) => events,
            Reading::Quarantined { .. } => &[],
        }
    }

    pub(super) fn is_quarantined(&self) -> bool {
        matches!(self.reading, Reading::Quarantined { .. })
    }

    pub(super) fn answer(&self) -> Answer {
        match &self.reading {
            Reading::Events(_) => Answer::Success,
            Reading::Quarantined { answer, .. } => *answer,
        }
    }

    /// The same callback, kept but not applied, because the database refused its rows.
    pub(super) fn poisoned(&self) -> Self {
        let reading = Reading::Quarantined { reason: "poison".to_owned(), answer: Answer::Success };
        Self { reading, ..self.clone() }
    }
}
