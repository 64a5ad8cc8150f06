//! The known parameters of forms, and the values by which one is recognized in a string without delimiters.
//!
//! Sources: Twilio docs "Twilio's request to your incoming message Webhook URL", "Track the Message Status of Outbound Messages", "TwiML
//! Voice: request parameters", "Call resource: status callback parameters"; SignalWire docs "Compatibility API" (read 2026-11-28).

use std::sync::LazyLock;

use super::kind;

/// The values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The id of a message.
    Message,
    /// The id of a call.
    Call,
    /// Another id, which is not read.
    Id,
    /// The date that is a version of the vendor's API, which is not read.
    Version,
    /// A word in lower case, which may have digits.
    Word,
    /// The direction of a call.
    Direction,
    Digits,
    /// The address of a sender or a recipient.
    From,
    To,
    /// The time of a call's event.
    Time,
    /// Text that is read.
    Text,
    /// Text that is not read.
    Unread,
    /// `true` or `false`, not read.
    Truth,
    /// The event of another product, or of a message.
    Event,
    /// A parameter of another product.
    Foreign,
}

/// The end of a value in the signed string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Follows from its form.
    Closed,
    /// Is the next known name.
    Open,
    /// An address that may also be text: as [`Fit::Open`], and its name must not occur after it.
    Weak,
    /// Does not matter, because the value is not read; or it is an address that ends by its form, and its name must not occur after it.
    Unread,
    /// No listed shape has it.
    Wrong,
}

/// The marks of a kind that a parameter can be.
pub(super) mod mark {
    pub(in super::super) const MESSAGE: u8 = 1;
    /// The id under a name that only inbound messages have.
    pub(in super::super) const INBOUND: u8 = 1 << 1;
    pub(in super::super) const STATUS: u8 = 1 << 2;
    pub(in super::super) const CONTENT: u8 = 1 << 3;
    pub(in super::super) const CALL: u8 = 1 << 4;
    pub(in super::super) const CALL_STATUS: u8 = 1 << 5;
    pub(in super::super) const FROM: u8 = 1 << 6;
    pub(in super::super) const TO: u8 = 1 << 7;
}

/// The parameters that are read, and those that may follow one whose value is text. After `#` there is a number.
const KNOWN: [(Value, u8, &[&str]); 21] = [
    (Value::Message, mark::MESSAGE, &["MessageSid", "SmsSid"]),
    (Value::Message, mark::INBOUND, &["SmsMessageSid"]),
    (Value::Call, mark::CALL, &["CallSid"]),
    (Value::Id, 0, &["AccountSid", "MessagingServiceSid"]),
    (Value::Version, 0, &["ApiVersion"]),
    (Value::Word, mark::STATUS, &["MessageStatus", "SmsStatus"]),
    (Value::Word, mark::CALL_STATUS, &["CallStatus"]),
    (Value::Word, 0, &["CallbackSource", "HangupDirection"]),
    (Value::Direction, 0, &["Direction"]),
    (Value::Digits, mark::CONTENT, &["NumMedia"]),
    (Value::Digits, 0, &["CallDuration", "ErrorCode", "NumSegments"]),
    (Value::From, mark::FROM, &["From"]),
    (Value::To, mark::TO, &["To"]),
    (Value::Text, mark::CONTENT, &["Body"]),
    (Value::Text, 0, &["ChannelStatusMessage", "ErrorMessage", "ErrorUrl", "HangupBy", "OptOutType"]),
    (Value::Time, 0, &["Timestamp"]),
    (Value::Text, 0, &["MediaContentType#", "MediaUrl#"]),
    (Value::Event, 0, &["EventType"]),
    (Value::Foreign, 0, &kind::FOREIGN),
    (Value::Truth, 0, &["Forwarded", "FrequentlyForwarded"]),
    (Value::Unread, 0, &UNREAD),
];

/// Names that end in `_` go on with any text.
const UNREAD: [&str; 43] = [
    "AddOns",
    "Address",
    "ButtonPayload",
    "ButtonText",
    "ButtonType",
    "CallToken",
    "CalledCity",
    "CalledState",
    "CallerCity",
    "CallerName",
    "CallerState",
    "ChannelInstallSid",
    "ChannelMetadata",
    "ChannelPrefix",
    "ChannelToAddress",
    "FlowData",
    "ForwardedFrom",
    "FromCity",
    "FromCountry",
    "FromState",
    "FromZip",
    "InteractiveData",
    "Label",
    "MessageType",
    "OriginalRepliedMessageSender",
    "OriginalRepliedMessageSid",
    "ParentCallSid",
    "ProfileName",
    "RawDlrDoneDate",
    "ReferralBody",
    "ReferralHeadline",
    "SequenceNumber",
    "SipCallId",
    "SipDomain",
    "SipHeader_",
    "SipInviteResultPhrase",
    "SipResultCode",
    "SpeechResult",
    "ToCity",
    "ToCountry",
    "ToState",
    "ToZip",
    "WaId",
];

/// A known parameter.
pub(super) struct Name {
    text: &'static str,
    pub(super) value: Value,
    pub(super) mark: u8,
    /// A bit of its own; none for numbered names, which are several.
    pub(super) bit: u128,
    /// The place in byte order of the names.
    pub(super) rank: usize,
}

/// The known names by their first letters.
static BY_LETTER: LazyLock<[Vec<Name>; 26]> = LazyLock::new(|| {
    let mut by_letter = [const { Vec::new() }; 26];
    let mut all: Vec<_> = KNOWN.iter().flat_map(|(value, mark, names)| names.iter().map(|text| (*text, *value, *mark))).collect();
    all.sort_unstable_by_key(|(text, ..)| *text);
    for (rank, (text, value, mark)) in all.into_iter().enumerate() {
        let bit = if text.ends_with('#') { 0 } else { 1 << rank };
        let letter = text.bytes().next().and_then(place_of).and_then(|place| by_letter.get_mut(place));
        if let Some(names) = letter {
            names.push(Name { text, value, mark, bit, rank });
        }
    }
    by_letter
});

fn place_of(letter: u8) -> Option<usize> {
    letter.is_ascii_uppercase().then(|| usize::from(letter - b'A'))
}

/// The known names at the start of a text, each with the text after it.
pub(super) fn at_start(text: &[u8]) -> impl Iterator<Item = (&'static Name, &[u8])> {
    let letter = text.first().and_then(|first| BY_LETTER.get(place_of(*first)?));
    letter.into_iter().flatten().filter_map(move |name| Some((name, name.strip(text)?)))
}

/// The known name that is the whole of a text.
pub(super) fn find(text: &[u8]) -> Option<&'static Name> {
    at_start(text).find(|(name, rest)| rest.is_empty() || name.text.ends_with('_')).map(|(name, _)| name)
}

impl Name {
    fn strip<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let Some(stem) = self.text.strip_suffix('#') else { return text.strip_prefix(self.text.as_bytes()) };
        let rest = text.strip_prefix(stem.as_bytes())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then(|| rest.get(digits..)).flatten()
    }

    /// Returns true if several parameters of the name can follow each other: with numbers, or with values that end by their form.
    pub(super) fn is_repeatable(&self) -> bool {
        self.bit == 0 || matches!(self.value, Value::Word | Value::Direction | Value::Digits | Value::Id | Value::Call)
    }

    /// Returns true if a parameter of that name can come before one of the other name.
    pub(super) fn precedes(&self, other: &[u8]) -> bool {
        self.text.as_bytes() <= other
    }

    pub(super) fn is_address(&self) -> bool {
        matches!(self.value, Value::From | Value::To)
    }

    /// Returns true if the value after the name can begin like this text.
    pub(super) fn may_precede(&self, text: &[u8]) -> bool {
        let starts = |is_start: fn(&u8) -> bool| text.first().is_some_and(is_start);
        match self.value {
            Value::Call | Value::Id => is_id(text),
            Value::Word => starts(is_word),
            Value::Direction => ["inbound", "outbound", "trunking"].iter().any(|word| text.starts_with(word.as_bytes())),
            Value::Digits => starts(u8::is_ascii_digit),
            Value::Time => starts(u8::is_ascii_digit) || text.get(3) == Some(&b','),
            Value::From | Value::To => is_address(text),
            Value::Truth => text.starts_with(b"true") || text.starts_with(b"false"),
            Value::Event => starts(u8::is_ascii_alphabetic),
            Value::Message | Value::Version | Value::Text | Value::Unread | Value::Foreign => true,
        }
    }

    /// Returns true if a value that has not the form of its name would have it together with the text after it.
    pub(super) fn is_cut_off_before(&self, text: &[u8]) -> bool {
        let has_form = matches!(self.value, Value::Word | Value::Direction | Value::Digits | Value::From | Value::To);
        has_form && self.may_precede(text)
    }

    /// The end of a value that is followed by this byte.
    pub(super) fn fit(&self, value: &[u8], next: Option<&u8>, allows_any_id: bool) -> Fit {
        let all = |is_part: fn(&u8) -> bool| match next {
            _ if value.is_empty() => Fit::Unread,
            next if value.iter().all(is_part) && !next.is_some_and(is_part) => Fit::Closed,
            _ => Fit::Wrong,
        };
        match self.value {
            Value::Message | Value::Call | Value::Id if is_whole_id(value) => Fit::Closed,
            Value::Message if allows_any_id && is_short_id(value, next) => Fit::Closed,
            Value::Message if allows_any_id && !value.is_empty() && !is_id(value) => Fit::Open,
            Value::Message | Value::Call | Value::Foreign => Fit::Wrong,
            Value::Version if is_date(value) => Fit::Closed,
            // It goes on where it ends by its form.
            Value::Id if begins_with_whole_id(value) => Fit::Wrong,
            Value::Version if value.get(..10).is_some_and(is_date) => Fit::Wrong,
            Value::Event if kind::is_foreign_event(value) => Fit::Wrong,
            Value::Direction | Value::Time if !value.is_empty() && !self.may_precede(value) => Fit::Wrong,
            Value::Word | Value::Direction => all(is_word),
            Value::Digits => all(u8::is_ascii_digit),
            Value::From | Value::To => address_fit(value, next, self.value),
            Value::Text | Value::Time => Fit::Open,
            Value::Id | Value::Version | Value::Unread | Value::Truth | Value::Event => Fit::Unread,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the methods of u8")]
fn is_word(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(byte)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the methods of u8")]
fn is_short_digit(byte: &u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)
}

fn is_date(text: &[u8]) -> bool {
    let is_part = |(place, byte): (usize, &u8)| if [4, 7].contains(&place) { *byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.iter().enumerate().all(is_part)
}

/// Returns true for a UUID or a SID: forms of a fixed length.
fn is_whole_id(id: &[u8]) -> bool {
    let is_uuid_byte = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    kind::is_sid(id) || (id.len() == 36 && id.iter().enumerate().all(is_uuid_byte))
}

/// Returns true for a message's SID with fewer digits, in lower case so that they end before the next name.
fn is_short_id(id: &[u8], next: Option<&u8>) -> bool {
    let digits = id.get(2..).unwrap_or_default();
    kind::is_message_sid(id)
        && (1..32).contains(&digits.len())
        && digits.iter().all(is_short_digit)
        && !next.is_some_and(is_short_digit)
}

fn begins_with_whole_id(text: &[u8]) -> bool {
    [34, 36].into_iter().any(|length| text.get(..length).is_some_and(is_whole_id))
}

/// Returns true if the text begins with an id of any length.
fn is_id(text: &[u8]) -> bool {
    let is_short =
        matches!(text, [one, two, digit, ..] if one.is_ascii_uppercase() && two.is_ascii_uppercase() && is_short_digit(digit));
    is_short || begins_with_whole_id(text)
}

/// Prefixes of addresses, and those after which there may be a number.
const PREFIXES: [&[u8]; 10] =
    [b"whatsapp:", b"messenger:", b"rcs:", b"viber:", b"sip:", b"sips:", b"client:", b"conference:", b"sim:", b"app:"];
const NUMBERED: [&[u8]; 4] = [b"whatsapp:", b"messenger:", b"rcs:", b"viber:"];

/// Shorter numbers occur in texts.
const MIN_DIGITS: usize = 5;

/// The text after one of these prefixes.
fn after_prefix<'t>(text: &'t [u8], prefixes: &[&[u8]]) -> Option<&'t [u8]> {
    prefixes.iter().find_map(|prefix| {
        let (start, rest) = text.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    })
}

/// Returns true if the text begins with an address that cannot be anything else.
fn is_address(text: &[u8]) -> bool {
    let are_digits = |digits: Option<&[u8]>| digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    let is_number = (text.first() == Some(&b'+') && are_digits(text.get(1..2))) || are_digits(text.get(..MIN_DIGITS));
    is_number || after_prefix(text, &PREFIXES).is_some()
}

/// Returns true for a sender's name of at most 11 characters, or a number whose `+` was not encoded.
fn is_sender(value: &[u8]) -> bool {
    let is_number = value.strip_prefix(b" ").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    is_number || (value.len() <= 11 && value.first().is_some_and(u8::is_ascii_alphanumeric) && value.is_ascii())
}

/// A number ends at the first other byte, so a text that begins like one is an address only if it is one.
fn address_fit(value: &[u8], next: Option<&u8>, which: Value) -> Fit {
    let numbered = after_prefix(value, &NUMBERED);
    if numbered.is_none() && after_prefix(value, &PREFIXES).is_some() {
        return Fit::Open;
    }
    let number = numbered.unwrap_or(value);
    let digits = number.strip_prefix(b"+").unwrap_or(number);
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-(). ".contains(byte);
    let is_number = digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(is_part) && !next.is_some_and(is_part);
    match number.first() {
        _ if is_number && (numbered.is_some() || is_address(number)) => Fit::Closed,
        _ if is_number => Fit::Unread,
        Some(first) if first.is_ascii_digit() || *first == b'+' => Fit::Wrong,
        _ if numbered.is_some() => Fit::Open,
        None if which == Value::To => Fit::Unread,
        _ if which == Value::To || !(value.is_empty() || is_sender(value)) => Fit::Wrong,
        _ => Fit::Weak,
    }
}
