//! Pieces of the tests' support.

#[path = "../../tests/support/numbers.rs"]
pub(crate) mod numbers;

/// Nothing depends on the environment here.
fn variable(_: &str) -> Option<String> {
    None
}
