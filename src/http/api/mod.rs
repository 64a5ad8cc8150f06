//! The HTTP API of the ops listener: what is stored, for programs. Each route stands once, in the table below, from which it is
//! registered and from which a test knows that the OpenAPI document has it.

mod ask;
pub(super) mod events;
pub(super) mod health;
pub(super) mod messages;
pub(super) mod others;
mod query;
pub(super) mod registrations;
pub(super) mod replays;
pub(super) mod requests;
pub(super) mod stats;
pub(super) mod stream;

use super::{openapi::Problems, routes::routes};

/// The body of a list.
macro_rules! listing {
    ($Name:ident, $field:ident: $Row:ty) => {
        /// One page, newest first.
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        pub(in crate::http) struct $Name {
            /// The rows.
            $field: Vec<$Row>,
            /// What to ask for as `cursor` to get the next page; null on the last one.
            #[schema(value_type = Option<String>)]
            next_cursor: Option<crate::store::Cursor>,
        }

        impl From<crate::store::Page<$Row>> for $Name {
            fn from(page: crate::store::Page<$Row>) -> Self {
                Self { $field: page.items, next_cursor: page.next_cursor }
            }
        }
    };
}
use listing;

routes! {
    /// Registers the API below its path.
    "/api" configure ROUTES;
    "/messages": get messages::all, post registrations::register;
    "/messages/{id}": get messages::one;
    "/messages/{id}/explain": get messages::explain;
    "/events": get events::after;
    "/inbound": get others::inbound;
    "/calls": get others::calls;
    "/rooms": get others::rooms;
    "/requests": get requests::all;
    "/requests/{id}": get requests::one;
    "/requests/{id}/replay": post replays::replay;
    "/requests/{id}/discard": post replays::discard;
    "/stats": get stats::stats;
    "/health": get health::health;
}

routes! {
    /// Registers what a browser reads with its password: it can show no token there.
    "/api/events/stream" configure_stream STREAM_ROUTES;
    "": get stream::stream;
}
