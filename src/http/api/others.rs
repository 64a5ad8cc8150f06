//! Inbound messages, calls and video rooms, newest first.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    Problems,
    ask::list,
    listing,
    query::{Text, filter, query},
};
use crate::{
    gateway::Gateway,
    store::{Call, CallFilter, InboundFilter, InboundMessage, Room, RoomFilter},
};

query! {
    /// Which inbound messages.
    InboundQuery {
        /// From this number or address, however it is written.
        sender: Text,
        /// To this number or address, however it is written.
        recipient: Text,
    }
}

listing!(InboundMessages, inbound: InboundMessage);

/// Inbound messages, newest first.
#[utoipa::path(get, path = "/api/inbound", operation_id = "list_inbound", tag = "inbound", params(InboundQuery),
    responses((status = 200, description = "One page", body = InboundMessages), Problems))]
pub(in crate::http) async fn inbound(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: InboundQuery| {
        let filter = filter!(
            query,
            InboundFilter { sender: query.sender.map(Text::address), recipient: query.recipient.map(Text::address) }
        );
        store.inbound(&filter).map(InboundMessages::from)
    })
    .await
}

query! {
    /// Which calls.
    CallsQuery {
        /// In this state: queued, initiated, ringing, answered, ended, unknown.
        status: Text,
    }
}

listing!(Calls, calls: Call);

/// Calls, newest first.
#[utoipa::path(get, path = "/api/calls", operation_id = "list_calls", tag = "calls and rooms", params(CallsQuery),
    responses((status = 200, description = "One page", body = Calls), Problems))]
pub(in crate::http) async fn calls(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: CallsQuery| {
        let filter = filter!(query, CallFilter { status: query.status.map(|text| text.0) });
        store.calls(&filter).map(Calls::from)
    })
    .await
}

query! {
    /// Which rooms.
    RoomsQuery {
        /// In this state: started, ended, unknown.
        status: Text,
    }
}

listing!(Rooms, rooms: Room);

/// Video rooms, newest first.
#[utoipa::path(get, path = "/api/rooms", operation_id = "list_rooms", tag = "calls and rooms", params(RoomsQuery),
    responses((status = 200, description = "One page", body = Rooms), Problems))]
pub(in crate::http) async fn rooms(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: RoomsQuery| {
        let filter = filter!(query, RoomFilter { status: query.status.map(|text| text.0) });
        store.rooms(&filter).map(Rooms::from)
    })
    .await
}
