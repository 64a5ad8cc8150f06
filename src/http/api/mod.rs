//! The JSON API of the ops listener. The table below is the only list of its routes: they are registered from it, and a test compares
//! it with the OpenAPI document.

pub(super) mod audit;
pub(super) mod calls;
pub(super) mod events;
pub(super) mod health;
pub(super) mod inbound_messages;
mod list;
pub(super) mod messages;
mod parameters;
pub(super) mod registrations;
pub(super) mod reload;
pub(super) mod replays;
pub(super) mod requests;
pub(super) mod rooms;
pub(super) mod stats;
mod store_query;
pub(super) mod stream;
pub(super) mod suppressions;

use super::routes::routes;

routes! {
    "/api" configure ROUTES;
    "/messages": get messages::list, post registrations::register;
    "/messages/{id}": get messages::get;
    "/messages/{id}/explain": get messages::explain;
    "/events": get events::list;
    "/inbound": get inbound_messages::list;
    "/calls": get calls::list;
    "/rooms": get rooms::list;
    "/suppressions": get suppressions::list;
    "/requests": get requests::list;
    "/requests/{id}": get requests::get;
    "/requests/{id}/replay": post replays::replay;
    "/requests/{id}/discard": post replays::discard;
    "/stats": get stats::stats;
    "/audit": get audit::list;
    "/health": get health::health;
    "/reload": post reload::reload;
}

routes! {
    /// The event stream, which also accepts a password: a browser's `EventSource` cannot send a bearer token.
    "/api/events/stream" configure_stream STREAM_ROUTES;
    "": get stream::stream;
}
