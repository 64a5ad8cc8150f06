//! Moves the times in a recorded callback, so that what it reports has just happened.

use std::collections::BTreeSet;

use crate::{cli::draft::Draft, time::Timestamp};

/// Instants to the second as the providers write them, in JSON and in forms.
const FORMATS: [&str; 9] = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H%%3A%M%%3A%S",
    "%Y-%m-%d+%H%%3A%M%%3A%S",
    "%Y-%m-%d%%20%H%%3A%M%%3A%S",
    "%a, %d %b %Y %H:%M:%S",
    "%a%%2C+%d+%b+%Y+%H%%3A%M%%3A%S",
    "%a%%2C%%20%d%%20%b%%20%Y%%20%H%%3A%M%%3A%S",
    "%s",
];

/// The callback with its latest event at that instant and the others as long before it as they were; as it is if its events would
/// not be the same ones.
pub(super) fn moved(draft: Draft<'_>, latest: Timestamp) -> Draft<'_> {
    let instants = |draft: &Draft<'_>| -> Option<(usize, BTreeSet<i64>)> {
        let events = draft.events(latest)?;
        let times = events.iter().filter_map(|event| event.occurred_at).map(Timestamp::seconds).collect();
        Some((events.len(), times))
    };
    let Some((events, before)) = instants(&draft) else { return draft };
    let shift = latest.seconds() - before.last().copied().unwrap_or_default();
    let replace = |text: &str| before.iter().rev().fold(text.to_owned(), |text, second| shifted(&text, *second, shift));
    let after: BTreeSet<i64> = before.iter().map(|second| second + shift).collect();
    draft.edited(replace).filter(|moved| instants(moved) == Some((events, after))).unwrap_or(draft)
}

/// A text with one instant, in whatever form, replaced by another.
fn shifted(text: &str, second: i64, shift: i64) -> String {
    let [Some(old), Some(new)] = [second, second + shift].map(Timestamp::from_seconds) else { return text.to_owned() };
    FORMATS.iter().fold(text.to_owned(), |text, format| {
        let [old, new] = [old, new].map(|instant| instant.naive().format(format).to_string());
        text.replace(&old, &new)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_is_moved_in_every_form() {
        let text =
            r#"{"a":"2026-03-14T15:30:00.120Z","b":1773502200}&at=2026-03-14+15%3A30%3A00&c=Sat%2C+14+Mar+2026+15%3A30%3A00"#;
        assert_eq!(
            shifted(text, 1_773_502_200, 86_401),
            r#"{"a":"2026-03-15T15:30:01.120Z","b":1773588601}&at=2026-03-15+15%3A30%3A01&c=Sun%2C+15+Mar+2026+15%3A30%3A01"#
        );
        assert_eq!(shifted("2026-03-14T15:30:01Z", 1_773_502_200, 60), "2026-03-14T15:30:01Z");
    }
}
