//! What kind of callback a form is, and whether it can be what it seems to be.

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
            // The older name alone: an inbound message has it as well, though its word may have swallowed its neighbour.
            (None, Some(word)) if !word.starts_with("rec") || !has_inbound_set(form) => Self::Status,
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
        Payload::Form(form) => {
            let is_call = form.text("CallSid").is_none_or(|id| is_plain_id(&id));
            is_call && ids_agree(&form) && (form.has("CallSid") || has_status_set(&form) || has_inbound_set(&form))
        }
        // Bound by its hash, byte for byte.
        Payload::Document(body) => !body.is_empty(),
    }
}

/// The same for a vendor that gives each id once and whose statuses carry the text as well: neither may an id have swallowed
/// its neighbour, nor may a status be hidden so that what is left looks like an inbound message.
pub(in super::super) fn hides_nothing(form: &Form<'_>) -> bool {
    let ids_are_plain = IDS.iter().filter_map(|name| form.text(name)).all(|id| is_plain_id(&id));
    // A word that has swallowed its neighbour has a capital letter in it.
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    let is_open = |name: &str| form.text(name).is_none_or(|word| is_word(&word)) && !is_hidden(form, name.as_bytes());
    ids_are_plain && ["MessageStatus", "SmsStatus"].into_iter().all(is_open)
}

/// Whether the name stands anywhere in what was signed but as a parameter's own. In the text it is just a word.
fn is_hidden(form: &Form<'_>, name: &[u8]) -> bool {
    let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().filter(|(other, _)| *other != b"Body" && *other != name).collect();
    pairs.sort_unstable();
    let signed: Vec<u8> = pairs.into_iter().flat_map(|(name, value)| [name, value]).flatten().copied().collect();
    signed.windows(name.len()).any(|window| window == name)
}

/// A UUID, or two letters and 32 hex digits: nothing can be added to it or taken from it.
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

    #[test]
    fn plain_ids() {
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
    fn a_hidden_status_is_seen() {
        let form = |body: &str| hides_nothing(&Form::decode(body.as_bytes()).expect("few fields"));
        assert!(form("Body=MessageStatus&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&NumMedia=0&SmsStatus=received"));
        for hidden in ["MessageStatusdelivered=", "MessageStatu=sdelivered", "MessageSt=atusdelivered"] {
            assert!(!form(&format!("Body=x&MessageSid=a97d4e8a-6047-4e2b-be48-fb96b33b5642&NumMedia=0&{hidden}")), "{hidden}");
        }
    }
}
