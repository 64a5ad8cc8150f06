//! A provider that also reports unsubscribes and handset receipts, which no real one does, so that every column is folded.

use waybill::{
    callback::Callback,
    endpoint::EndpointConfig,
    event::{Event, EventType},
    provider::{Parsed, Provider},
    signature::{IsListed, Proof, Readable, VerifyError, Work},
    status::{Evidence, Status},
};

struct Extended(Box<dyn Provider>);

impl Provider for Extended {
    fn verify<'c>(&self, callback: &'c Callback, work: &Work) -> Result<Proof<'c>, VerifyError> {
        self.0.verify(callback, work)
    }

    fn is_listed(&self) -> IsListed {
        self.0.is_listed()
    }

    fn parse(&self, callback: Readable<'_, '_>) -> Parsed {
        let parsed = self.0.parse(callback);
        Parsed { events: parsed.events.map(|events| events.into_iter().map(extend).collect()), ..parsed }
    }
}

fn extend(event: Event) -> Event {
    match event.provider_status.as_deref() {
        Some("unsubscribed" | "UNSUBSCRIBED") => {
            Event { event_type: EventType::MessageUnsubscribed, status: None, provider_status: None, ..event }
        }
        Some("delivered_to_handset" | "DELIVERED_TO_HANDSET") => Event {
            event_type: EventType::MessageDelivered,
            status: Some(Status::Delivered),
            evidence: Some(Evidence::Handset),
            ..event
        },
        _ => event,
    }
}

/// The endpoint with two more words for a message's status: `unsubscribed` and `delivered_to_handset`.
pub fn extended(endpoint: EndpointConfig) -> EndpointConfig {
    EndpointConfig { provider: Box::new(Extended(endpoint.provider)), ..endpoint }
}
