//! `GET /api/messages`: messages and their status, one message with its events, and its history.

use super::{
    list::{list_body, list_filter, list_query},
    parameters::{AddressText, Text},
    store_query::{respond_if_found, respond_to},
};
use crate::{
    explain::Explanation,
    gateway::Gateway,
    http::{api_error::ErrorResponses, query::Class},
    status::Status,
    store::{Message, MessageFilter, MessageWithEvents},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};

list_query! {
    /// Selects messages.
    MessagesQuery {
        /// Only messages with this status.
        status: Status,
        /// Only those to this phone number or e-mail address, in any notation. One of several recipients is enough.
        recipient: AddressText,
        /// Only messages with this provider id.
        external_id: Text,
        /// Only messages matched with this message of the application.
        message_id: i64,
        /// Only messages matched with the application's message that has this reference.
        reference: Text,
    }
}

list_body!(Messages, messages: Message);

/// Messages, newest first.
#[utoipa::path(get, path = "/api/messages", operation_id = "list_messages", tag = "messages", params(MessagesQuery),
    responses((status = 200, description = "One page", body = Messages), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, parameters: MessagesQuery| {
        let filter = list_filter!(
            parameters,
            MessageFilter {
                status: parameters.status,
                recipient: parameters.recipient.map(|text| text.0),
                external_id: parameters.external_id.map(|text| text.0),
                message_id: parameters.message_id,
                reference: parameters.reference.map(|text| text.0)
            }
        );
        store.messages(&filter).map(Messages::from)
    })
    .await
}

/// One message with its events.
#[utoipa::path(get, path = "/api/messages/{id}", operation_id = "get_message", tag = "messages", params(("id" = i64, Path, description = "The `id` of the message")),
    responses((status = 200, description = "The message with its events", body = MessageWithEvents), ErrorResponses))]
pub(in crate::http) async fn get(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<i64>().ok();
    respond_if_found(gateway, Class::List, move |Gateway { store, .. }| {
        Ok(id.map(|id| store.message_with_events(id)).transpose()?.flatten())
    })
    .await
}

/// The history of one message: each event with its effect and the reason, duplicates and late arrivals, the match, the error and the next step.
#[utoipa::path(get, path = "/api/messages/{id}/explain", operation_id = "explain_message", tag = "messages", params(("id" = i64, Path, description = "The `id` of the message")),
    responses((status = 200, description = "The history", body = Explanation), ErrorResponses))]
pub(in crate::http) async fn explain(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<i64>().ok();
    respond_if_found(gateway, Class::List, move |Gateway { store, .. }| {
        let history = id.map(|id| store.history(id)).transpose()?.flatten();
        Ok(history.map(Explanation::from))
    })
    .await
}
