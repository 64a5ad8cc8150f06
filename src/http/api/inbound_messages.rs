//! `GET /api/inbound`: inbound messages.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    list::{list_body, list_filter, list_query},
    parameters::AddressText,
    store_query::respond_to,
};
use crate::{
    gateway::Gateway,
    http::api_error::ErrorResponses,
    store::{InboundFilter, InboundMessage},
};

list_query! {
    /// Selects inbound messages.
    InboundQuery {
        /// Only those from this phone number or e-mail address, in any notation.
        sender: AddressText,
        /// Only those to this phone number or e-mail address, in any notation. One of several recipients is enough, also one in `cc`.
        recipient: AddressText,
    }
}

list_body!(InboundMessages, inbound: InboundMessage);

/// Inbound messages, newest first.
#[utoipa::path(get, path = "/api/inbound", operation_id = "list_inbound", tag = "inbound", params(InboundQuery),
    responses((status = 200, description = "One page", body = InboundMessages), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: InboundQuery| {
        let filter = list_filter!(
            parameters,
            InboundFilter { sender: parameters.sender.map(|text| text.0), recipient: parameters.recipient.map(|text| text.0) }
        );
        store.inbound_messages(&filter).map(InboundMessages::from)
    })
    .await
}
