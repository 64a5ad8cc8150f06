//! The methods by which a provider's message is matched to the application's, and their order of strength.

/// Methods of matching, weakest first. The position of a word in this text is its strength.
const STRENGTH_LADDER: &str = "timestamp embedded database";

/// Mapped by the application.
pub(crate) const DATABASE: &str = "database";
/// Matched by the application's reference in the callback.
pub(crate) const EMBEDDED: &str = "embedded";
/// The only message to that recipient at about that time.
pub(crate) const TIMESTAMP: &str = "timestamp";

/// The strength of a match. One that the gateway did not make, or whose method is unknown, was made by the application.
pub(crate) fn strength(message_id: Option<i64>, matched_id: Option<i64>, matched_by: Option<&str>) -> usize {
    let position = |method: &str| STRENGTH_LADDER.find(method).filter(|_| !method.is_empty()).map(|index| index + 1);
    match message_id {
        None => 0,
        Some(_) if message_id != matched_id => STRENGTH_LADDER.len(),
        Some(_) => matched_by.and_then(position).unwrap_or(STRENGTH_LADDER.len()),
    }
}
