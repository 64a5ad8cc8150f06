//! `waybill openapi`: prints the `OpenAPI` document of the ops API.

use super::{CommandError, print_json};

pub(super) fn run() -> Result<(), CommandError> {
    print_json(&crate::http::openapi())
}
