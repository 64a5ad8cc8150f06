//! The form callbacks of cXML, which Twilio defined (there TwiML) and SignalWire's compatibility API took over: statuses of
//! messages, inbound messages, calls. The signature and the meaning of error codes are the provider's.

mod call;
mod inbound;
pub(super) mod kind;
pub(super) mod message;
mod most_parameters;
mod names;
pub(super) mod shape;

use self::kind::Kind;
use crate::{
    event::{Event, EventType},
    form::Form,
    provider::{ParseError, Parsed, Reply},
    providers::error_codes::ErrorTable,
    signature::Readable,
};

/// Parses a form. The response to an inbound message is TwiML.
pub(super) fn parse(form: &Form<'_>, callback: Readable<'_, '_>, errors: &ErrorTable) -> Parsed {
    match Kind::from_form(form) {
        // Statuses are sent by POST.
        Kind::Status if callback.is_query() => Parsed::unknown(),
        kind => {
            let reply = if kind == Kind::Inbound { Reply::Twiml } else { Reply::Json };
            Parsed { reply, events: parse_kind(kind, form, callback.signed_query(), errors).map(|event| vec![event]) }
        }
    }
}

/// The event of a form of that kind.
pub(super) fn parse_kind(
    kind: Kind,
    form: &Form<'_>,
    signed_query: Option<&str>,
    errors: &ErrorTable,
) -> Result<Event, ParseError> {
    match kind {
        Kind::Status => message::parse(form, signed_query, errors),
        Kind::Inbound => inbound::parse(form),
        Kind::Call => call::parse(form),
        Kind::Unknown => Ok(Event::informational(EventType::Unknown, "")),
    }
}
