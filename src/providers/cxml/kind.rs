//! The kinds of forms. Other products of the vendors send parameters of the same names, so one of them never decides: an id has the form
//! of a message's or a call's, and stands beside a second mark of the kind.

use crate::form::Form;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Status,
    Inbound,
    Call,
    Unknown,
}

/// The names of a message's id, to which Twilio gives the same value.
pub(super) const IDS: [&str; 3] = ["MessageSid", "SmsSid", "SmsMessageSid"];

/// Parameters of other products: Conversations and Chat; recordings and transcriptions, whose call has its own callbacks.
///
/// Sources: Twilio docs "Conversations Webhooks", "Chat Webhook Events", "Recording status callbacks", "Transcription" (read 2026-11-28).
pub(super) const FOREIGN: [&str; 5] = ["ConversationSid", "ChannelSid", "InstanceSid", "RecordingStatus", "TranscriptionSid"];

impl Kind {
    /// Source: the fields of the vendors' pages named in their modules.
    pub(in super::super) fn from_form(form: &Form<'_>) -> Self {
        let has = |name: &str| form.has(name);
        if is_foreign(form) {
            return Self::Unknown;
        }
        let is_inbound_word = |word: &str| ["receiving", "received"].iter().any(|known| word.eq_ignore_ascii_case(known));
        match form.text("MessageStatus").or_else(|| form.text("SmsStatus")) {
            Some(word) if is_inbound_word(&word) => Self::Inbound,
            Some(_) => Self::Status,
            None if IDS.into_iter().any(has) && (has("Body") || has("NumMedia")) => Self::Inbound,
            None if has("CallSid") && (has("CallStatus") || (has("From") && has("To"))) => Self::Call,
            // Incomplete.
            None if has("MessageSid") || has("SmsSid") => Self::Status,
            None => Self::Unknown,
        }
    }
}

/// Returns true for a callback of another product. The events of Conversations and `TaskRouter` are named `onMessageAdded` and
/// `task.created`, those of messages `READ`.
fn is_foreign(form: &Form<'_>) -> bool {
    FOREIGN.iter().any(|name| form.has(name))
        || form.text("EventType").is_some_and(|word| is_foreign_event(word.as_bytes()))
        || IDS.iter().filter_map(|name| form.text(name)).any(|id| is_sid(id.as_bytes()) && !is_message_sid(id.as_bytes()))
}

pub(super) fn is_foreign_event(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_lowercase)
}

/// Returns true for two letters, which name the kind of thing, and 32 hex digits.
pub(super) fn is_sid(id: &[u8]) -> bool {
    matches!(id, [one, two, digits @ ..] if digits.len() == 32
        && [one, two].into_iter().all(u8::is_ascii_uppercase)
        && digits.iter().all(u8::is_ascii_hexdigit))
}

pub(super) fn is_message_sid(id: &[u8]) -> bool {
    id.starts_with(b"SM") || id.starts_with(b"MM")
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
        assert_eq!(kind("SmsMessageSid=SM1&Body="), Kind::Inbound);
        assert_eq!(kind("CallSid=CA1&CallStatus=ringing"), Kind::Call);
        assert_eq!(kind(""), Kind::Unknown);
    }

    #[test]
    fn other_products_are_unknown() {
        let id = "0123456789abcdef0123456789abcdef";
        for form in [
            &format!("EventType=onMessageAdded&MessageSid=IM{id}&ConversationSid=CH{id}&Source=SDK&Author=agent-7&Body=STOP"),
            &format!("MessageSid=IM{id}&Body=Hi"),
            &format!("EventType=onMessageSent&MessageSid=SM{id}&Body=Hi"),
            &format!("CallSid=CA{id}&RecordingSid=RE{id}&RecordingStatus=completed"),
            &format!("CallSid=CA{id}&CallStatus=completed&TranscriptionSid=TR{id}"),
            &format!("CallSid=CA{id}&ConferenceSid=CF{id}&StatusCallbackEvent=participant-join"),
            "From=a&To=b&Body=Hi",
        ] {
            assert_eq!(kind(form), Kind::Unknown, "{form}");
        }
    }
}
