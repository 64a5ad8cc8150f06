//! The most known parameters that a cut of a signed string has.

use super::names;

/// A known name that occurs in a text, at the end of a cut's beginning.
struct Occurrence {
    end: usize,
    rank: usize,
    /// The most known parameters up to and including this one.
    parameters: usize,
}

/// The greatest number of known names in a text that can be parameters together: each is followed by the beginning of a value of its
/// form, none overlaps the next one, and they are in byte order, as they are signed.
pub(super) fn most_parameters(text: &[u8]) -> usize {
    // By rank of the last name, of all occurrences that have ended.
    let mut most = [0; u128::BITS as usize];
    let mut begun: Vec<Occurrence> = Vec::new();
    for start in (0..text.len()).filter(|start| text.get(*start).is_some_and(u8::is_ascii_uppercase)) {
        begun.retain(|one| {
            let has_ended = one.end <= start;
            if let Some(most) = most.get_mut(one.rank).filter(|_| has_ended) {
                *most = one.parameters.max(*most);
            }
            !has_ended
        });
        let rest = text.get(start..).unwrap_or_default();
        for (name, after) in names::at_start(rest).filter(|(name, after)| name.may_precede(after)) {
            let earlier = most.iter().take(name.rank + usize::from(name.is_repeatable())).max().copied().unwrap_or_default();
            begun.push(Occurrence { end: text.len() - after.len(), rank: name.rank, parameters: earlier + 1 });
        }
    }
    begun.iter().map(|one| one.parameters).chain(most).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_byte_order_that_do_not_overlap_are_counted() {
        for (text, expected) in [
            ("", 0),
            ("no name", 0),
            ("BodyHiFrom+15550001111To+15550002222", 3),
            // Names in a text that could be parameters only instead of others.
            ("BodyAddress?From+15550001111To+15550002222", 3),
            ("BodyLabelFrom+15550001111FromCityXTo+15550002222", 4),
            ("BodyBodyFrom+15550001111", 2),
            // One more parameter.
            ("BodyHiButtonTextYesFrom+15550001111", 3),
            // No address follows.
            ("BodyFrom now on", 1),
            // A name that is repeated.
            ("MediaUrl0xMediaUrl1y", 2),
            ("SmsStatussentSmsStatusdelivered", 2),
            ("SmsMessageSidSM1", 1),
        ] {
            assert_eq!(most_parameters(text.as_bytes()), expected, "{text}");
        }
    }
}
