//! The header that says how many callbacks are acknowledged and not in the tables yet, so that no answer of the API is taken for all
//! that is known.

use actix_web::http::header::{HeaderMap, HeaderName};
use utoipa::{
    Modify,
    openapi::{Header, HeaderBuilder, Object, RefOr, Type},
};

use crate::gateway::Gateway;

/// The number of callbacks in the spool or the broker; absent if there are none.
const HEADER: HeaderName = HeaderName::from_static("waybill-queued");

const DESCRIPTION: &str = "Acknowledged callbacks that are not in the tables yet; absent if there are none. `queue` of \
                           `/api/health` has the time of the oldest";

/// Adds the header if callbacks are not in the tables yet.
pub(super) fn announce(gateway: &Gateway, headers: &mut HeaderMap) {
    if let Some(queue) = gateway.queue().filter(|queue| queue.pending > 0) {
        headers.insert(HEADER, queue.pending.into());
    }
}

/// Documents the header.
pub(super) struct Documented;

impl Modify for Documented {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let header: Header = HeaderBuilder::new().schema(Object::with_type(Type::Integer)).description(Some(DESCRIPTION)).build();
        let api = document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/api/")).map(|(_, item)| item);
        let operations = api.flat_map(|item| [&mut item.get, &mut item.post]).flatten();
        for response in operations.flat_map(|operation| operation.responses.responses.values_mut()) {
            if let RefOr::T(response) = response {
                response.headers.insert("Waybill-Queued".to_owned(), header.clone());
            }
        }
    }
}
