//! The kinds of forms, and the checks against re-encoded ones.

use crate::{
    callback::{Callback, Payload},
    form::Form,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Status,
    Inbound,
    Call,
    Unknown,
}

impl Kind {
    /// Source: the fields of the vendors' pages named in their modules.
    pub(in super::super) fn from_form(form: &Form<'_>) -> Self {
        let is_inbound_word = |word: &str| ["receiving", "received"].iter().any(|known| word.eq_ignore_ascii_case(known));
        match (form.text("MessageStatus"), form.text("SmsStatus")) {
            (Some(word), _) | (None, Some(word)) if is_inbound_word(&word) => Self::Inbound,
            (Some(_), _) => Self::Status,
            // The older name alone. Inbound messages have it as well, possibly with a neighbour absorbed.
            (None, Some(word)) if !word.starts_with("rec") || !has_inbound_set(form) => Self::Status,
            (None, _) if has_inbound_set(form) => Self::Inbound,
            _ if form.has("CallSid") => Self::Call,
            _ => Self::Unknown,
        }
    }
}

/// The names of a message's id, to which Twilio gives the same value.
pub(super) const IDS: [&str; 3] = ["MessageSid", "SmsSid", "SmsMessageSid"];

/// Returns true if the payload can be one that the provider encoded. The MAC has no delimiters, so a captured request can be re-encoded;
/// but then its required fields are no parameters of their own, or its ids differ. Only inbound messages have no body.
pub(in super::super) fn has_known_shape(callback: &Callback, payload: &Payload<'_>) -> bool {
    match payload {
        Payload::Form(form) if callback.body.is_empty() => {
            callback.query().is_empty() || (has_inbound_set(form) && ids_agree(form) && Kind::from_form(form) == Kind::Inbound)
        }
        Payload::Form(form) => {
            let is_call = form.text("CallSid").is_none_or(|id| is_plain_id(&id));
            is_call && ids_agree(form) && (form.has("CallSid") || has_status_set(form) || has_inbound_set(form))
        }
        // Bound by its hash, byte for byte.
        Payload::Document(_) => !callback.body.is_empty(),
    }
}

/// The check for a provider that sends each id once and whose statuses contain the text as well: no id may have absorbed its neighbour,
/// and no status may be hidden so that the rest looks like an inbound message.
pub(in super::super) fn has_no_hidden_status(form: &Form<'_>) -> bool {
    let ids_are_plain = IDS.iter().filter_map(|name| form.text(name)).all(|id| is_plain_id(&id));
    // A word that has absorbed its neighbour contains a capital letter.
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    let is_open = |name: &str| form.text(name).is_none_or(|word| is_word(&word)) && !is_hidden(form, name.as_bytes());
    ids_are_plain && ["MessageStatus", "SmsStatus"].into_iter().all(is_open)
}

/// Returns true if the name occurs in the signed string other than as a parameter's name. In the message's text it is allowed.
fn is_hidden(form: &Form<'_>, name: &[u8]) -> bool {
    let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().filter(|(other, _)| *other != b"Body" && *other != name).collect();
    pairs.sort_unstable();
    let signed: Vec<u8> = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect::<Vec<_>>().concat();
    signed.windows(name.len()).any(|window| window == name)
}

/// Returns true for a UUID, or two letters and 32 hex digits: forms of a fixed length.
fn is_plain_id(id: &str) -> bool {
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match id.as_bytes() {
        [one, two, digits @ ..] if digits.len() == 32 => one.is_ascii_uppercase() && two.is_ascii_uppercase() && is_hex(digits),
        bytes if bytes.len() == 36 => bytes.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

/// Returns true if all ids are equal: one that has absorbed its neighbour differs from the one under the older name.
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
        Kind::from_form(&Form::decode(body.as_bytes()).expect("few fields"))
    }

    #[test]
    fn kinds_are_told_by_fields() {
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

    #[test]
    fn plain_ids_have_a_fixed_length() {
        for id in ["CA1342fe1b2c904d1ab04f0fc7a58abca9", "a97d4e8a-6047-4e2b-be48-fb96b33b5642"] {
            assert!(is_plain_id(id), "{id}");
            let mut shorter = id.chars();
            assert!(shorter.next().is_some() && !is_plain_id(shorter.as_str()), "{id}");
            assert!(shorter.next_back().is_some() && !is_plain_id(shorter.as_str()), "{id}");
            for neighbour in ["CallStatusbusy", "MessageStatussent", "NumMedia0", "To", "0"] {
                assert!(!is_plain_id(&format!("{id}{neighbour}")), "{id}{neighbour}");
            }
        }
        assert!(!is_plain_id("") && !is_plain_id("CA"));
    }

    #[test]
    fn hidden_status_is_detected() {
        let form = |body: &str| has_no_hidden_status(&Form::decode(body.as_bytes()).expect("few fields"));
        assert!(form("Body=MessageStatus&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&NumMedia=0&SmsStatus=received"));
        for hidden in ["MessageStatusdelivered=", "MessageStatu=sdelivered", "MessageSt=atusdelivered"] {
            assert!(!form(&format!("Body=x&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&NumMedia=0&{hidden}")), "{hidden}");
        }
    }
}
