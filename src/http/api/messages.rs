//! `GET /api/messages`: the status table, newest first, by filters and a keyset cursor; and one message with its events.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Problems,
    ask::{ask_for_one, list},
    listing,
    query::{Text, filter, query},
};
use crate::{
    explain::Explanation,
    gateway::Gateway,
    status::Status,
    store::{Message, MessageFilter, StoredEvent},
};

query! {
    /// Which messages.
    MessagesQuery {
        /// With this status.
        status: Status,
        /// To this number or address, however it is written.
        recipient: Text,
        /// With this id of the provider.
        external_id: Text,
        /// Matched with this message of the application.
        message_id: i64,
        /// Matched with the application's message of this reference.
        reference: Text,
    }
}

listing!(Messages, messages: Message);

/// Messages, newest first.
#[utoipa::path(get, path = "/api/messages", operation_id = "list_messages", tag = "messages", params(MessagesQuery),
    responses((status = 200, description = "One page", body = Messages), Problems))]
pub(in crate::http) async fn all(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    list(&request, gateway, |store, query: MessagesQuery| {
        let filter = filter!(
            query,
            MessageFilter {
                status: query.status,
                recipient: query.recipient.map(Text::address),
                external_id: query.external_id.map(|text| text.0),
                message_id: query.message_id,
                reference: query.reference.map(|text| text.0)
            }
        );
        store.messages(&filter).map(Messages::from)
    })
    .await
}

/// A message and what it is made of.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MessageWithEvents {
    /// The message.
    message: Message,
    /// Its events as they came, a thousand at the most.
    events: Vec<StoredEvent>,
}

/// One message, with its events.
#[utoipa::path(get, path = "/api/messages/{id}", operation_id = "get_message", tag = "messages", params(("id" = i64, Path, description = "Its `id`")),
    responses((status = 200, description = "The message", body = MessageWithEvents), Problems))]
pub(in crate::http) async fn one(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<i64>().ok();
    ask_for_one(gateway, move |store| {
        let Some(message) = id.map(|id| store.message(id)).transpose()?.flatten() else { return Ok(None) };
        Ok(Some(MessageWithEvents { events: store.events_of_message(&message)?, message }))
    })
    .await
}

/// The story of one message: every event with what it did and why, what came again or late, the match, the error and what to do next.
#[utoipa::path(get, path = "/api/messages/{id}/explain", operation_id = "explain_message", tag = "messages", params(("id" = i64, Path, description = "Its `id`")),
    responses((status = 200, description = "Its story", body = Explanation), Problems))]
pub(in crate::http) async fn explain(id: Path<String>, gateway: Data<Gateway>) -> HttpResponse {
    let id = id.parse::<i64>().ok();
    ask_for_one(gateway, move |store| {
        let story = id.map(|id| store.story(id)).transpose()?.flatten();
        Ok(story.map(Explanation::from))
    })
    .await
}
