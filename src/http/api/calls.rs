//! `GET /api/calls`: phone calls.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    list::{list_body, list_filter, list_query},
    parameters::Text,
    store_query::respond_to,
};
use crate::{
    gateway::Gateway,
    http::api_error::ErrorResponses,
    store::{Call, CallFilter},
};

list_query! {
    /// Selects calls.
    CallsQuery {
        /// Only calls in this state: queued, initiated, ringing, answered, ended, unknown.
        status: Text,
    }
}

list_body!(Calls, calls: Call);

/// Calls, newest first.
#[utoipa::path(get, path = "/api/calls", operation_id = "list_calls", tag = "calls and rooms", params(CallsQuery),
    responses((status = 200, description = "One page", body = Calls), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: CallsQuery| {
        let filter = list_filter!(parameters, CallFilter { status: parameters.status.map(|text| text.0) });
        store.calls(&filter).map(Calls::from)
    })
    .await
}
