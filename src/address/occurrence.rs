//! Addresses within longer texts.

/// Returns true if a text contains the address, both folded or in lower case, not as part of a longer one.
pub fn is_contained(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + address.len()..).unwrap_or_default());
        let mut following = after.chars();
        let goes_on = match following.next() {
            Some('.') => following.next().is_some_and(char::is_alphanumeric),
            Some(c) => c.is_alphanumeric() || c == '-' || c == '_',
            None => false,
        };
        !continues_local_part(before) && !goes_on
    })
}

/// Returns true if the address that follows is the rest of a longer one. Some marks are part of one only after a letter or a digit: an
/// apostrophe is a quotation mark otherwise.
fn continues_local_part(before: &str) -> bool {
    let mut preceding = before.chars().rev();
    match preceding.next() {
        Some(c) if c.is_alphanumeric() || "._+-".contains(c) => true,
        Some(c) if "'!#$^~`".contains(c) => preceding.next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}
