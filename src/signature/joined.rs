//! Signed strings without delimiters: the URL, then each parameter's name and value. A captured request can be cut in another way under
//! its signature, so the caller decides by its shape if it may be parsed.

use crate::{
    callback::{Callback, Payload},
    form::Form,
};

/// The parameters of a form as they are signed.
#[derive(Default)]
pub struct Joined<'p> {
    /// Names and values in byte order of the names, as they were sent.
    pub pairs: Vec<(&'p [u8], &'p [u8])>,
    /// Each name followed by its value.
    pub text: Vec<u8>,
}

/// Returns true if the request has a listed shape: one that no other cut of its signed string has.
pub type IsListed = fn(&Callback, &Payload<'_>, &Joined<'_>) -> bool;

impl<'p> Joined<'p> {
    /// Of a repeated name the distinct values, sorted.
    pub(super) fn sorted(form: &'p Form<'_>) -> Self {
        let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self::new(pairs)
    }

    /// Of a repeated name all values, in the order sent.
    pub(super) fn as_sent(form: &'p Form<'_>) -> Self {
        let mut pairs: Vec<(&[u8], &[u8])> = form.pairs().collect();
        pairs.sort_by_key(|(name, _)| *name);
        Self::new(pairs)
    }

    /// The parameters of a body, if it is a form. A query is signed with the URL.
    pub(super) fn of_body(callback: &Callback, payload: &'p Payload<'_>) -> Self {
        match payload {
            Payload::Form(form) if !callback.body.is_empty() => Self::sorted(form),
            _ => Self::default(),
        }
    }

    fn new(pairs: Vec<(&'p [u8], &'p [u8])>) -> Self {
        let mut text = Vec::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len()).sum());
        for (name, value) in &pairs {
            text.extend_from_slice(name);
            text.extend_from_slice(value);
        }
        Self { pairs, text }
    }
}
