//! The listed shapes of requests whose signed string has no delimiters.
//!
//! A captured request can be cut into other names and values under its signature, and must not take the place of the real one. A customer
//! may write anything, also the names of parameters, and the vendors add parameters. So a request is listed if no other cut of its
//! string has more known parameters ([`most_parameters`]), each of its known values has its form, and each text that is parsed ends
//! at another parameter. A request of any other shape is stored and not parsed.

use super::{
    most_parameters::most_parameters,
    names::{self, Fit, Name, Value, mark},
};
use crate::{
    callback::{Callback, Payload},
    form::Form,
    signature::Joined,
};

/// The ids of messages that are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ids {
    /// SIDs and UUIDs.
    Whole,
    /// Any text that does not begin like another id, too.
    Any,
}

/// Returns true if the request has a listed shape.
pub(in super::super) fn is_listed(callback: &Callback, payload: &Payload<'_>, joined: &Joined<'_>, ids: Ids) -> bool {
    let target = callback.target.as_bytes();
    // The braces of a JSON document that was moved into the URL. Twilio signs the hash of a document.
    if ids == Ids::Whole && target.iter().any(|byte| b"{}".contains(byte)) {
        return false;
    }
    let is_id = |name: &Name| matches!(name.value, Value::Message | Value::Call | Value::Id);
    match payload {
        Payload::Form(form) if callback.body.is_empty() => !in_query(target).any(is_id) && Shape::new(ids).is_listed_query(form),
        Payload::Form(_) => Shape::new(ids).is_listed_form(target, joined),
        // SignalWire signs a document as it is, so that it can be the end of a form.
        Payload::Document(_) => !callback.body.is_empty() && !in_query(target).any(|name| ids == Ids::Whole || is_id(name)),
    }
}

/// The known names in a URL that have no delimiter after them.
fn in_query(target: &[u8]) -> impl Iterator<Item = &'static Name> {
    let starts = 0..if target.contains(&b'?') { target.len() } else { 0 };
    let at = |start| names::at_start(target.get(start..).unwrap_or_default());
    let is_hidden = |(name, rest): &(&Name, &[u8])| match rest.first() {
        None => true,
        Some(next) => *next != b'=' && name.may_precede(rest),
    };
    starts.flat_map(at).filter(is_hidden).map(|(name, _)| name)
}

/// The parameters of a request so far.
struct Shape<'s> {
    ids: Ids,
    /// The bits of the names that are parameters.
    seen: u128,
    /// The bits of the addresses whose names occur after the parameter, perhaps as text.
    after: u128,
    /// The bits of texts whose names occur before the parameter.
    before: u128,
    marks: u8,
    id: Option<&'s [u8]>,
    ids_agree: bool,
}

impl<'s> Shape<'s> {
    fn new(ids: Ids) -> Self {
        Self { ids, seen: 0, after: 0, before: 0, marks: 0, id: None, ids_agree: true }
    }

    /// An inbound message or a call. A query is signed with its delimiters.
    fn is_listed_query(&mut self, form: &'s Form<'_>) -> bool {
        let mut pairs = form.pairs().filter_map(|(name, value)| Some((name, value, names::find(name)?)));
        pairs.all(|(name, value, known)| {
            let is_checked = matches!(known.value, Value::Message | Value::Call | Value::Event | Value::Foreign);
            let fit = self.add(known, value, None);
            (fit != Fit::Wrong || !is_checked) && !std::str::from_utf8(name).is_ok_and(|name| form.is_ambiguous(name))
        }) && self.ids_agree
            && (self.is_inbound() || self.is_call())
    }

    fn is_listed_form(&mut self, target: &[u8], joined: &'s Joined<'_>) -> bool {
        // The first parameters may have been moved to the end of the URL.
        let first = joined.pairs.first().map_or(&b""[..], |(name, _)| *name);
        for name in in_query(target).filter(|name| name.precedes(first)) {
            if !name.is_address() {
                return false;
            }
            self.after |= name.bit;
        }
        // The query may end in the message's reference.
        let mut is_open = target.contains(&b'?');
        let (mut start, mut previous, mut parameters) = (0, None, 0);
        for (name, value) in &joined.pairs {
            let text = joined.text.get(start..).unwrap_or_default();
            let (_, after) = text.split_at_checked(name.len()).unwrap_or_default();
            let length = name.len() + value.len();
            let known = names::find(name);
            let fit = known.map_or(Fit::Unread, |known| self.add(known, value, after.get(value.len())));
            let is_repeated = previous == Some(name) && known.is_some() && fit != Fit::Closed;
            // The value goes on in the next name.
            let is_cut_off = matches!(fit, Fit::Unread | Fit::Weak) && known.is_some_and(|known| known.is_cut_off_before(after));
            let ends_text = known.map_or_else(|| is_vendor_name(name), |known| known.is_address() || known.may_precede(after));
            let is_usual = known.is_some() || is_unknown_name(name, text.get(..length).unwrap_or_default());
            // A text begins where its name first occurs.
            let is_late = fit == Fit::Open && known.is_some_and(|known| self.before & known.bit != 0);
            if !is_usual || is_repeated || is_cut_off || is_late || fit == Fit::Wrong || (is_open && !ends_text) {
                return false;
            }
            is_open = matches!(fit, Fit::Open | Fit::Weak);
            if fit != Fit::Closed {
                self.note_names(text.get(known.map_or(0, |_| name.len())..length).unwrap_or_default(), fit);
            }
            let counts = |known: &Name| known.may_precede(after) && (previous != Some(name) || known.is_repeatable());
            parameters += usize::from(known.is_some_and(counts));
            (start, previous) = (start + length, Some(name));
        }
        let addresses = self.after & !self.seen;
        let is_kind = self.is_status() || self.is_inbound() || self.is_call();
        addresses == 0 && self.ids_agree && is_kind && parameters >= most_parameters(&joined.text)
    }

    /// Adds a known parameter.
    fn add(&mut self, name: &Name, value: &'s [u8], next: Option<&u8>) -> Fit {
        let fit = name.fit(value, next, self.ids == Ids::Any);
        if matches!(name.value, Value::Message) {
            self.ids_agree &= self.id.is_none_or(|id| id == value);
            self.id = Some(value);
        }
        if fit != Fit::Unread || !matches!(name.value, Value::Word) {
            self.marks |= name.mark;
        }
        if matches!(fit, Fit::Closed | Fit::Open) {
            self.seen |= name.bit;
        } else {
            // Only the last occurrence can be the parameter.
            self.after &= !name.bit;
        }
        fit
    }

    /// Notes the names in a text that are no parameters: of addresses whose values would be no numbers, and may be senders' names, and of
    /// texts, if this one is not read.
    fn note_names(&mut self, text: &[u8], fit: Fit) {
        for (other, rest) in (0..text.len()).flat_map(|at| names::at_start(text.get(at..).unwrap_or_default())) {
            if other.is_address() && !other.may_precede(rest) {
                self.after |= other.bit;
            } else if fit == Fit::Unread && matches!(other.value, Value::Text) {
                self.before |= other.bit;
            }
        }
    }

    fn has(&self, marks: u8) -> bool {
        self.marks & marks != 0
    }

    fn is_status(&self) -> bool {
        self.has(mark::MESSAGE) && self.has(mark::STATUS)
    }

    fn is_inbound(&self) -> bool {
        self.has(mark::MESSAGE | mark::INBOUND) && self.has(mark::CONTENT)
    }

    fn is_call(&self) -> bool {
        self.has(mark::CALL) && (self.has(mark::CALL_STATUS) || (self.has(mark::FROM) && self.has(mark::TO)))
    }
}

/// Returns true for an unknown parameter. A name that goes on after one that is read may have absorbed its value.
fn is_unknown_name(name: &[u8], parameter: &[u8]) -> bool {
    let is_read = |(known, rest): (&Name, &[u8])| !matches!(known.value, Value::Unread | Value::Truth) && known.may_precede(rest);
    (is_vendor_name(name) || is_usual_text(parameter)) && !names::at_start(name).any(is_read)
}

/// Returns true for a name of at least two words, as the vendors write theirs and texts hardly have.
fn is_vendor_name(name: &[u8]) -> bool {
    let is_word_start = |two: &&[u8]| matches!(two, [first, second] if first.is_ascii_uppercase() && second.is_ascii_lowercase());
    name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(u8::is_ascii_alphanumeric)
        && name.windows(2).filter(is_word_start).count() > 1
}

/// Returns true for a text that can be an unknown parameter, wherever its name ends. It starts with a letter and has no blank, because
/// an unusual name may not become part of a value.
fn is_usual_text(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(u8::is_ascii_graphic)
}
