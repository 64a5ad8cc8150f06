//! What kind of callback a form is, and whether it can be what it seems to be.

use crate::{
    callback::{Callback, Payload},
    form::Form,
};

/// The kinds of form that Twilio sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A status of an outbound message.
    Status,
    /// A message for the application.
    Inbound,
    /// Something about a call.
    Call,
    /// None of these.
    Unknown,
}

impl Kind {
    /// Source: the fields of Twilio's pages named in the module above.
    pub(super) fn of(form: &Form<'_>) -> Self {
        let status = form.text("MessageStatus").or_else(|| form.text("SmsStatus"));
        match status {
            Some(word) if ["receiving", "received"].iter().any(|known| word.eq_ignore_ascii_case(known)) => Self::Inbound,
            // Nothing else than a message's status comes without an id to be known by; the reader says what is missing.
            Some(_) => Self::Status,
            None if has_inbound_set(form) => Self::Inbound,
            None if form.has("CallSid") => Self::Call,
            None => Self::Unknown,
        }
    }
}

/// The MAC has no delimiters, so a captured request can be cut anew at will. What cannot be faked is that the fields of
/// a genuine request are parameters of their own. Only an inbound message comes without a body.
pub(super) fn is_known(callback: &Callback) -> bool {
    match callback.payload() {
        Payload::Form(form) if callback.body.is_empty() => {
            callback.query().is_empty() || (has_inbound_set(&form) && Kind::of(&form) == Kind::Inbound)
        }
        Payload::Form(form) => form.has("CallSid") || has_status_set(&form) || has_inbound_set(&form),
        // Bound by its hash, byte for byte.
        Payload::Document(body) => !body.is_empty(),
    }
}

fn has_any(form: &Form<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| form.has(name))
}

fn has_status_set(form: &Form<'_>) -> bool {
    has_any(form, &["MessageSid", "SmsSid"]) && has_any(form, &["MessageStatus", "SmsStatus"])
}

fn has_inbound_set(form: &Form<'_>) -> bool {
    has_any(form, &["MessageSid", "SmsSid", "SmsMessageSid"]) && has_any(form, &["Body", "NumMedia"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Kind {
        Kind::of(&Form::decode(body.as_bytes()).expect("few fields"))
    }

    #[test]
    fn kinds() {
        assert_eq!(kind("MessageSid=SM1&MessageStatus=sent&SmsStatus=sent"), Kind::Status);
        assert_eq!(kind("SmsSid=SM1&SmsStatus=sent"), Kind::Status);
        assert_eq!(kind("MessageSid=SM1&SmsStatus=Received"), Kind::Inbound);
        assert_eq!(kind("SmsMessageSid=SM1&Body="), Kind::Inbound);
        assert_eq!(kind("CallSid=CA1&CallStatus=ringing"), Kind::Call);
        assert_eq!(kind("MessageSidSM1=MessageStatussent"), Kind::Unknown);
        assert_eq!(kind(""), Kind::Unknown);
    }
}
