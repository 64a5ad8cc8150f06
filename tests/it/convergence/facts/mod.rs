//! Reports of providers as data: the text in the request and the columns it is stored in.

mod conversation;
mod mifumo;
mod resend;
mod signalwire;
mod twilio;
mod vonage;

use std::fmt;

/// Text by its place in a request: the name of a form parameter, a JSON pointer, or after `?` a parameter of the URL. In a JSON
/// body, text that is valid JSON is inserted as JSON, other text as a string.
pub type Wire = &'static [(&'static str, &'static str)];

/// Values by column, as text.
pub type Columns = &'static [(&'static str, &'static str)];

/// The kinds of callback about outbound messages.
pub fn messages() -> Vec<&'static Shape> {
    let all: [&[&Shape]; 6] = [
        &twilio::MESSAGES,
        &resend::MESSAGES,
        &vonage::MESSAGES,
        &signalwire::MESSAGES,
        &mifumo::MESSAGES,
        &conversation::MESSAGES,
    ];
    all.concat()
}

/// The kinds of callback with an inbound message.
pub fn inbound() -> Vec<&'static Shape> {
    let all: [&[&Shape]; 5] =
        [&twilio::INBOUND, &resend::INBOUND, &vonage::INBOUND, &signalwire::INBOUND, &conversation::INBOUND];
    all.concat()
}

/// The start of all times of a case, in Unix seconds.
pub const BASE: i64 = 1_773_500_000;

/// The external id of every message.
pub const ID: &str = "a97d4e8a-6047-4e2b-be48-fb96b33b5642";

/// The message to which the application maps the external id by plain SQL.
pub const MAPPED: i64 = 3;

/// An application's reference in callbacks, and the message that the application registers with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    pub text: &'static str,
    pub message: Option<i64>,
}

/// The second is the id of a message with another reference. The least is never registered.
pub const REFERENCES: [Reference; 4] = [
    Reference { text: "order-1", message: Some(1) },
    Reference { text: "2", message: Some(2) },
    Reference { text: "order-2", message: Some(2) },
    Reference { text: "0-unregistered", message: None },
];

/// Recipients at a provider that reports a status for each: in the request, and in the table.
pub const RECIPIENTS: [(&str, &str); 3] =
    [("255700100001", "+255700100001"), ("+255700100002", "+255700100002"), ("Zanzibar", "Zanzibar")];

/// Times of events, in microseconds after [`BASE`]; the last one is after all requests.
pub const TIMES: [i64; 4] = [0, 250_000, 1_000_000, 150_000_000];

/// A provider's word for an event, and its status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub text: &'static str,
    pub status: &'static str,
    pub rank: u8,
    pub evidence: Option<&'static str>,
    /// Code, message, category and permanence; empty if there is none.
    pub error: Option<[&'static str; 4]>,
    /// The column that records the instant of such an event.
    pub mark: Option<&'static str>,
    /// Further text in a request with the word.
    pub wire: Wire,
    /// False for an event without a status, whose word is not stored as `provider_status`.
    pub is_status: bool,
}

pub const fn word(text: &'static str, status: &'static str, rank: u8) -> Word {
    Word { text, status, rank, evidence: None, error: None, mark: None, wire: &[], is_status: true }
}

/// A word for an event without a status.
pub const fn no_status(text: &'static str, mark: Option<&'static str>) -> Word {
    Word { mark, is_status: false, ..word(text, "registered", 0) }
}

impl Word {
    pub const fn evidence(self, grade: &'static str) -> Self {
        Self { evidence: Some(grade), ..self }
    }

    pub const fn marks(self, column: &'static str) -> Self {
        Self { mark: Some(column), ..self }
    }

    pub const fn error(self, wire: Wire, error: [&'static str; 4]) -> Self {
        Self { wire, error: Some(error), ..self }
    }

    pub const fn with(self, wire: Wire) -> Self {
        Self { wire, ..self }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.text, self.wire)
    }
}

/// One value of an attribute of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub wire: Wire,
    pub columns: Columns,
}

pub const fn choice(wire: Wire, columns: Columns) -> Choice {
    Choice { wire, columns }
}

impl fmt::Debug for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.wire)
    }
}

/// Encoding of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Form,
    Json,
    /// One CloudEvent or an array of them; each has an id from the sender.
    CloudEvents,
}

/// Place and format of the time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Absent,
    /// `2026-03-14T15:33:20Z`.
    Iso(&'static str),
    /// `2026-03-14 15:33:20`.
    WithoutZone(&'static str),
}

/// Recipients in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// A row's key has no recipient.
    NotInKey,
    /// At most one recipient, at that place.
    One(&'static str),
    /// A list of recipients, at that place.
    Many(&'static str),
}

const OUTBOUND_SMS: Choice = choice(&[], &[("channel", "sms"), ("direction", "outbound")]);

/// A kind of callback of a provider.
#[derive(PartialEq, Eq)]
pub struct Shape {
    pub name: &'static str,
    pub provider: &'static str,
    /// The signature scheme.
    pub scheme: &'static str,
    pub payload: Payload,
    /// The place of the message's id.
    pub id: &'static str,
    /// The place of the word.
    pub word: &'static str,
    pub words: &'static [&'static [Word]],
    pub time: Time,
    /// The place of the application's reference; empty if it has none.
    pub reference: &'static str,
    pub recipients: Recipients,
    /// Fields of every callback of the kind.
    pub fixed: Choice,
    /// The values of each attribute; a callback has at most one of them. Later attributes override earlier ones.
    pub attributes: &'static [&'static [Choice]],
}

impl Shape {
    /// A shape without attributes, for the tables to complete.
    pub const PLAIN: Self = Self {
        name: "",
        provider: "",
        scheme: "",
        payload: Payload::Json,
        id: "",
        word: "",
        words: &[],
        time: Time::Absent,
        reference: "",
        recipients: Recipients::NotInKey,
        fixed: choice(&[], &[]),
        attributes: &[],
    };
}

impl fmt::Debug for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
