//! `GET /api/rooms`: video rooms.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    list::{list_body, list_filter, list_query},
    parameters::Text,
    store_query::respond_to,
};
use crate::{
    gateway::Gateway,
    http::api_error::ErrorResponses,
    store::{Room, RoomFilter},
};

list_query! {
    /// Selects rooms.
    RoomsQuery {
        /// Only rooms in this state: started, ended, unknown.
        status: Text,
    }
}

list_body!(Rooms, rooms: Room);

/// Video rooms, newest first.
#[utoipa::path(get, path = "/api/rooms", operation_id = "list_rooms", tag = "calls and rooms", params(RoomsQuery),
    responses((status = 200, description = "One page", body = Rooms), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: RoomsQuery| {
        let filter = list_filter!(parameters, RoomFilter { status: parameters.status.map(|text| text.0) });
        store.rooms(&filter).map(Rooms::from)
    })
    .await
}
