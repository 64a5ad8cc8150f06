//! A callback that is verified and parsed, ready to be stored.

use tracing::{Level, debug, warn};

use crate::{
    callback::Callback,
    endpoint::Endpoint,
    provider::{Parsed, Reply},
    queue::{Durable, Intake},
    signature::VerifiedCallback,
    store::{Record, Summary},
    verifier::{Effort, Unverified, Verifier},
};

/// The stages before and after parsing.
pub type Stages<'g> = (&'g Verifier, &'g Intake);

/// The record of a verified callback, and the form of the response.
pub struct Prepared {
    pub record: Record,
    pub reply: Reply,
}

impl Prepared {
    /// Parses a verified callback. Without the rows of its events, if these are made later.
    pub fn new(endpoint: &Endpoint, verified: &VerifiedCallback<'_>, has_events: bool) -> Self {
        let Parsed { reply, events } = endpoint.parse(verified);
        let events = if has_events { events } else { events.map(|_| Vec::new()) };
        Self { record: Record::new(endpoint, verified, events), reply }
    }

    /// Verifies a callback with all the work that a request may cost, and parses it. Not for a serving thread.
    pub fn with_whole_effort((limits, intake): Stages<'_>, endpoint: &Endpoint, callback: &Callback) -> Result<Self, Unverified> {
        let verified = limits.verify(endpoint, callback, Effort::Whole)?;
        endpoint.count_verified(&verified);
        Ok(Self::new(endpoint, &verified, intake.writes_events()))
    }
}

/// The log line of a callback, taken before it is stored; `None` if it has none.
pub struct LogLine(Option<Summary>);

impl LogLine {
    pub fn of(record: &Record) -> Self {
        let is_written = record.quarantine_reason().is_some() || tracing::enabled!(Level::DEBUG);
        Self(is_written.then(|| record.summary()))
    }

    /// Writes it once the callback is durable.
    pub fn write(self, endpoint: &Endpoint, durable: &Durable) {
        let (provider, account) = (endpoint.spec.name, endpoint.account.as_str());
        match self.0 {
            // A client that captured the request can send any number of copies.
            Some(summary) if summary.is_quarantined && !durable.is_duplicate() => {
                warn!(provider, account, "verified but not parsable: quarantined");
            }
            Some(summary) => debug!(
                provider,
                account,
                event_type = summary.event_type,
                external_id = summary.external_id.as_deref(),
                duplicate = durable.is_duplicate(),
                registered = !durable.is_unmatched(),
                size_bytes = summary.size_bytes,
                "stored"
            ),
            None => {}
        }
        if let Some(count) = durable.is_unmatched().then(|| endpoint.metrics.count_unmatched()).flatten() {
            warn!(count, "stored callbacks for messages that are not registered; logged at most once a minute");
        }
    }
}
