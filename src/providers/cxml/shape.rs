//! The listed shapes of requests whose signed string has no delimiters.
//!
//! A captured request can be cut into other names and values under its signature. Of all cuts of one string, those that are listed must
//! agree in all that is parsed, or one of them could take the place of the real request. So the cut has to follow from the string: a known
//! name is a parameter where it first occurs with a value of its kind, and a value that is parsed ends by its form or at the next known
//! name. A request of any other shape is stored and not parsed.

use super::names::{self, Fit, Name, Value, mark};
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
    // The braces of a JSON document that was moved into the URL.
    if target.iter().any(|byte| b"{}".contains(byte)) {
        return false;
    }
    let is_id = |name: &Name| matches!(name.value, Value::Message | Value::Call | Value::Id);
    match payload {
        Payload::Form(form) if callback.body.is_empty() => !in_query(target).any(is_id) && Shape::new(ids).is_listed_query(form),
        Payload::Form(_) => Shape::new(ids).is_listed_form(target, joined),
        Payload::Document(_) => !callback.body.is_empty() && in_query(target).next().is_none(),
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
    marks: u8,
    id: Option<&'s [u8]>,
    ids_agree: bool,
}

impl<'s> Shape<'s> {
    fn new(ids: Ids) -> Self {
        Self { ids, seen: 0, after: 0, marks: 0, id: None, ids_agree: true }
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
        for name in in_query(target) {
            if !name.is_address() {
                return false;
            }
            self.after |= name.bit;
        }
        // The query may end in the message's reference.
        let mut is_open = target.contains(&b'?');
        let (mut start, mut previous) = (0, None);
        for (name, value) in &joined.pairs {
            let text = joined.text.get(start..).unwrap_or_default();
            let (_, after) = text.split_at_checked(name.len()).unwrap_or_default();
            let length = name.len() + value.len();
            let known = names::find(name);
            let fit = known.map_or(Fit::Unread, |known| self.add(known, value, after.get(value.len())));
            let is_repeated = previous == Some(name) && known.is_some() && fit != Fit::Closed;
            // The value goes on in the next name.
            let is_cut_off = matches!(fit, Fit::Unread | Fit::Weak) && known.is_some_and(|known| known.is_cut_off_before(after));
            let ends_text = known.is_some_and(|known| known.is_address() || known.may_precede(after));
            let is_usual = known.is_some() || is_usual_text(text.get(..length).unwrap_or_default());
            if !is_usual || is_repeated || is_cut_off || fit == Fit::Wrong || (is_open && !ends_text) {
                return false;
            }
            is_open = matches!(fit, Fit::Open | Fit::Weak);
            if fit != Fit::Closed && !self.has_no_other(text, length, known.map(|_| name.len()), is_open) {
                return false;
            }
            (start, previous) = (start + length, Some(name));
        }
        let addresses = self.after & !self.seen;
        addresses == 0 && self.ids_agree && (self.is_status() || self.is_inbound() || self.is_call())
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

    /// Returns true if no other known parameter can begin within this one, the first of the text. Its own name is not searched if it is
    /// known.
    fn has_no_other(&mut self, text: &[u8], length: usize, name: Option<usize>, is_open: bool) -> bool {
        let mut longer = names::at_start(text).filter(|(other, rest)| other.may_precede(rest));
        if let Some(own) = name
            && longer.any(|(_, rest)| text.len() - rest.len() > own)
        {
            return false;
        }
        (name.unwrap_or(0)..length).all(|at| {
            names::at_start(text.get(at..).unwrap_or_default()).all(|(other, rest)| match other.value {
                Value::Unread | Value::Truth => !is_open || !other.may_precede(rest),
                _ if other.is_address() && !other.may_precede(rest) => {
                    self.after |= other.bit;
                    true
                }
                _ => !other.may_precede(rest) || (self.seen & other.bit != 0 && (at > 0 || name.is_some())),
            })
        })
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

/// Returns true for a text that can be an unknown parameter, wherever its name ends. It starts with a letter and has no blank, because
/// an unusual name may not become part of a value.
fn is_usual_text(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(u8::is_ascii_graphic)
}
