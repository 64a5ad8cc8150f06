//! What kind of callback a form is, and whether it can be what it seems to be.

use super::message;
use crate::{
    callback::{Callback, Payload},
    form::Form,
};

/// The kinds of form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
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
    /// Source: the fields of the vendors' pages named in their modules.
    pub(in super::super) fn of(form: &Form<'_>) -> Self {
        let is_inbound_word = |word: &str| ["receiving", "received"].iter().any(|known| word.eq_ignore_ascii_case(known));
        match (form.text("MessageStatus"), form.text("SmsStatus")) {
            (Some(word), _) | (None, Some(word)) if is_inbound_word(&word) => Self::Inbound,
            (Some(_), _) => Self::Status,
            // The older name alone: a status if it is one, for an inbound message has it as well.
            (None, Some(word)) if message::of_status(&word, "").is_some() || !has_inbound_set(form) => Self::Status,
            (None, _) if has_inbound_set(form) => Self::Inbound,
            _ if form.has("CallSid") => Self::Call,
            _ => Self::Unknown,
        }
    }
}

/// The names of a message's id; Twilio gives all of them the same value.
pub(super) const IDS: [&str; 3] = ["MessageSid", "SmsSid", "SmsMessageSid"];

/// The MAC has no delimiters, so a captured request can be cut anew at will. What cannot be faked is that the fields of
/// a genuine request are parameters of their own, and that its ids agree. Only an inbound message comes without a body.
pub(in super::super) fn is_known(callback: &Callback) -> bool {
    match callback.payload() {
        Payload::Form(form) if callback.body.is_empty() => {
            callback.query().is_empty() || (has_inbound_set(&form) && ids_agree(&form) && Kind::of(&form) == Kind::Inbound)
        }
        Payload::Form(form) => ids_agree(&form) && (form.has("CallSid") || has_status_set(&form) || has_inbound_set(&form)),
        // Bound by its hash, byte for byte.
        Payload::Document(body) => !body.is_empty(),
    }
}

/// An id with its neighbour glued to it is another than the one under its older name.
fn ids_agree(form: &Form<'_>) -> bool {
    let mut ids = IDS.iter().filter_map(|name| form.text(name));
    let first = ids.next();
    ids.all(|id| Some(id) == first)
}

fn has_any(form: &Form<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| form.has(name))
}

fn has_status_set(form: &Form<'_>) -> bool {
    has_any(form, &["MessageSid", "SmsSid"]) && has_any(form, &["MessageStatus", "SmsStatus"])
}

fn has_inbound_set(form: &Form<'_>) -> bool {
    has_any(form, &IDS) && has_any(form, &["Body", "NumMedia"])
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
        assert_eq!(kind("MessageSid=SM1&Body=x&SmsStatus=sent"), Kind::Status);
        assert_eq!(kind("MessageSid=SM1&Body=x&SmsStatus=receivedTo%2B1"), Kind::Inbound);
        assert_eq!(kind("SmsMessageSid=SM1&Body="), Kind::Inbound);
        assert_eq!(kind("CallSid=CA1&CallStatus=ringing"), Kind::Call);
        assert_eq!(kind("MessageSidSM1=MessageStatussent"), Kind::Unknown);
        assert_eq!(kind(""), Kind::Unknown);
    }
}
