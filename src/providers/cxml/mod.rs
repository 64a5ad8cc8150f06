//! The form callbacks of cXML, which Twilio defined (there TwiML) and SignalWire's compatibility API took over: statuses of
//! messages, inbound messages, calls. What differs, the signature and the meaning of error codes, is the provider's.

mod call;
mod inbound;
pub(super) mod message;
pub(super) mod shape;

use self::shape::Kind;
use crate::{errors::ErrorTable, event::Event, form::Form, provider::Unparsable};

/// Reads one form. `query` holds the parameters of the URL if the scheme signed it.
pub(super) fn read(form: &Form<'_>, query: Option<&Form<'_>>, errors: &ErrorTable) -> Result<Event, Unparsable> {
    match Kind::of(form) {
        Kind::Status => message::read(form, query, errors),
        Kind::Inbound => inbound::read(form),
        Kind::Call => call::read(form),
        Kind::Unknown => message::read_unknown(form),
    }
}
