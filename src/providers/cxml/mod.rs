//! The form callbacks of cXML, which Twilio defined (there TwiML) and SignalWire's compatibility API took over: statuses of
//! messages, inbound messages, calls. The signature and the meaning of error codes are the provider's.

mod call;
mod inbound;
pub(super) mod message;
pub(super) mod shape;

use self::shape::Kind;
use crate::{
    event::Event,
    form::Form,
    provider::{ParseError, Parsed, Reply},
    providers::error_codes::ErrorTable,
};

/// Parses a form. The response to an inbound message is TwiML. `signed_query` is the raw query, if the scheme signs it.
pub(super) fn parse(form: &Form<'_>, signed_query: Option<&str>, errors: &ErrorTable) -> Parsed {
    let kind = Kind::from_form(form);
    let reply = if kind == Kind::Inbound { Reply::Twiml } else { Reply::Json };
    Parsed { reply, events: parse_kind(kind, form, signed_query, errors).map(|event| vec![event]) }
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
        Kind::Unknown => message::parse_unknown(form),
    }
}
