//! Pieces of the forgery tests.

#[path = "../../tests/cases/forgery/edits.rs"]
pub(crate) mod edits;
#[path = "../../tests/cases/forgery/fields.rs"]
mod fields;
#[path = "../../tests/cases/forgery/judge.rs"]
pub(crate) mod judge;
#[path = "../../tests/cases/forgery/reference.rs"]
pub(crate) mod reference;
