//! Copies of a recorded callback, signed with the configured secrets. Each copy is a new callback if the payload contains an id,
//! as the provider's own parser finds it: the id is replaced before signing.

use super::{
    CommandError,
    draft::{Draft, ids},
    random,
};
use crate::{endpoint::Endpoint, fixture::Fixture, signature::Outgoing, time::Timestamp};

/// The copies of one callback.
pub(super) struct SignedCopies<'e> {
    draft: Draft<'e>,
    /// The ids that identify the callback, the longest first.
    ids: Vec<String>,
}

impl<'e> SignedCopies<'e> {
    /// Signs with the recorded scheme or, if the endpoint has no secret for it, with another of its schemes.
    pub(super) fn new(fixture: &Fixture, endpoint: &'e Endpoint, now: Timestamp) -> Result<Self, CommandError> {
        let own = fixture.scheme();
        let others = endpoint.spec.schemes.iter().copied().filter(|other| own.is_none_or(|own| own.name != other.name));
        let draft = Draft::new(fixture, endpoint, now);
        let taken = own.into_iter().chain(others).find_map(|scheme| {
            let draft = draft.with_scheme(scheme);
            draft.events(now).map(|events| (draft, events))
        });
        // The sender's address may be the only proof, and only the gateway sees it.
        let Some((draft, events)) = taken else { return Ok(Self { draft, ids: Vec::new() }) };
        let mut named: Vec<String> =
            ids(&events).into_iter().filter(|id| draft.renamed(id, &format!("{id}0")).is_some()).collect();
        named.sort_by_key(|id| std::cmp::Reverse(id.len()));
        let mut copies = Self { draft, ids: named };
        // Replacing an id that is part of another value would break the payload.
        let still_parses = copies.renewed()?.events(now).is_some_and(|fresh| fresh.len() == events.len());
        if !still_parses {
            copies.ids.clear();
        }
        Ok(copies)
    }

    /// True if every copy is a new callback.
    pub(super) fn are_distinct(&self) -> bool {
        !self.ids.is_empty()
    }

    /// The recorded callback itself.
    pub(super) fn original(&self, now: Timestamp) -> Outgoing {
        self.draft.signed(now)
    }

    /// A copy with new ids.
    pub(super) fn copy(&self, now: Timestamp) -> Result<Outgoing, CommandError> {
        Ok(self.renewed()?.signed(now))
    }

    fn renewed(&self) -> Result<Draft<'e>, CommandError> {
        let mut draft = self.draft.clone().with_request_id(format!("msg_{}", hex::encode(random::<12>()?)));
        for id in &self.ids {
            draft = draft.renamed(id, &fresh(id)?).unwrap_or(draft);
        }
        Ok(draft)
    }
}

/// Random characters in an id, so that two copies do not get the same one.
const MIN_RANDOM: usize = 12;

/// Another id of the same form: from its first digit on, digits are replaced with digits and hexadecimal letters with letters of
/// their case. A short id is extended with digits.
pub(super) fn fresh(id: &str) -> Result<String, CommandError> {
    let bytes = random::<256>()?;
    let mut random = bytes.iter().copied().cycle();
    let mut pick = |from: &[u8]| {
        let place = usize::from(random.next().unwrap_or_default()) % from.len();
        from.get(place).copied().map_or('0', char::from)
    };
    let start = id.find(|c: char| c.is_ascii_digit()).unwrap_or(id.len());
    let (mut out, mut changed) = (id.get(..start).unwrap_or_default().to_owned(), 0);
    for c in id.get(start..).unwrap_or_default().chars() {
        let choice: &[u8] = match c {
            // No zero comes or goes: a number must not begin with one.
            '1'..='9' => b"123456789",
            'a'..='f' => b"abcdef",
            'A'..='F' => b"ABCDEF",
            _ => b"",
        };
        changed += usize::from(!choice.is_empty());
        out.push(if choice.is_empty() { c } else { pick(choice) });
    }
    while changed < MIN_RANDOM {
        out.push(pick(b"0123456789"));
        changed += 1;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_id_has_the_form_of_the_old_one() {
        for id in ["SM9b3064ff76e573c89d547e13314674df", "b85f59ee-9087-5978-bd72-0b4b8da31b92", "2E134187F349386D", "1", "msg_x"]
        {
            let (one, other) = (fresh(id).unwrap(), fresh(id).unwrap());
            assert!(one != other && one != id, "{one} {other}");
            let class = |c: char| if c.is_ascii_digit() { '1' } else { c.to_ascii_lowercase() };
            let form =
                |id: &str| id.chars().map(class).map(|c| if ('a'..='f').contains(&c) { 'a' } else { c }).collect::<String>();
            assert!(form(&one).starts_with(&form(id)), "{id} {one}");
        }
    }
}
