//! `POST /api/messages`: the application tells of its messages, one or many. Telling twice is safe: what is told anew counts,
//! what is left out stays, so that a message can be registered before it is sent and again with the id that sending gave.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Bytes, Data},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Problems;
use crate::{
    address,
    endpoint::Account,
    event::ExternalId,
    gateway::Gateway,
    http::problem,
    json, providers,
    status::Channel,
    store::{Registration, StoreError},
    time::Timestamp,
};

/// Messages in one request.
const MAX_MESSAGES: usize = 1_000;

/// The longest reference or recipient that is taken.
const MAX_TEXT: usize = 255;

/// One message as it is told. An unknown field is an error: what is silently ignored is missed later.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub(in crate::http) struct Told {
    /// The application's own key of the message.
    #[schema(min_length = 1, max_length = 255, example = "order-1")]
    reference: String,
    /// Provider.
    #[schema(value_type = super::query::ServiceType, inline)]
    service_type: String,
    /// Account, as in its URL or as in its variables; otherwise `default`.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", example = "default")]
    account: Option<String>,
    /// The id that the provider gave, once it is known.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Number or address.
    #[schema(min_length = 1, max_length = 255)]
    recipient: Option<String>,
    /// By what way it travels.
    channel: Option<Channel>,
    /// When it was sent.
    #[schema(value_type = Option<Timestamp>, inline)]
    sent_at: Option<String>,
}

/// One message, or many at once.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "what is read is told apart by hand, for the sake of what the answer says is wrong")]
pub(in crate::http) enum ToldOneOrMany {
    /// One.
    One(Told),
    /// A thousand at the most.
    Many(Vec<Told>),
}

/// A message that is registered.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Registered {
    /// The application's own key of the message.
    reference: String,
    /// Its number: `message_id` of the rows that are matched with it.
    id: i64,
}

/// As it was told: one message, or many in the order given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum RegisteredOneOrMany {
    /// One.
    One(Registered),
    /// Many.
    Many(Vec<Registered>),
}

impl Told {
    /// The registration, or which field is wrong.
    fn registration(self) -> Result<Registration, &'static str> {
        let fits = |text: &str| (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0');
        // As in the URL, or as in variables.
        let account = match self.account.as_deref() {
            None | Some("default") => Account::unnamed(),
            Some(name) => name.to_uppercase().replace('-', "_").parse().map_err(|_| "account")?,
        };
        let spec = providers::find(&self.service_type).ok_or("service_type")?;
        let is_email = self.channel == Some(Channel::Email) || spec.name == "resend";
        let normalized = |recipient: &str| if is_email { address::email(recipient) } else { address::international(recipient) };
        Ok(Registration {
            reference: Some(self.reference).filter(|reference| fits(reference)).ok_or("reference")?,
            service_type: spec.name,
            account: account.as_str().to_owned(),
            external_id: self
                .external_id
                .map(|id| ExternalId::new(&id).filter(|_| fits(&id)).ok_or("external_id"))
                .transpose()?,
            recipient: match self.recipient {
                None => None,
                Some(recipient) if fits(&recipient) => normalized(&recipient),
                Some(_) => return Err("recipient"),
            },
            channel: self.channel,
            sent_at: self.sent_at.map(|text| Timestamp::parse(&text).ok_or("sent_at")).transpose()?,
        })
    }
}

/// Reads one message or a list of them; otherwise what is wrong, without quoting it.
fn read(body: &[u8]) -> Result<(Vec<Registration>, bool), String> {
    let told = json::read(body).map_err(|_| "expected JSON, and each field once".to_owned())?;
    let (list, is_list) = match told {
        Value::Array(list) => (list, true),
        one => (vec![one], false),
    };
    if list.len() > MAX_MESSAGES {
        return Err(format!("expected {MAX_MESSAGES} messages at the most"));
    }
    let one = |(place, told): (usize, Value)| {
        let told: Told = serde_json::from_value(told).map_err(|_| {
            format!("message {place}: expected reference and service_type, and account, external_id, recipient, channel, sent_at if known")
        })?;
        told.registration().map_err(|field| format!("message {place}: {field} is not one"))
    };
    Ok((list.into_iter().enumerate().map(one).collect::<Result<_, _>>()?, is_list))
}

/// Tells of messages of the application. Telling twice is safe.
#[utoipa::path(post, path = "/api/messages", operation_id = "register_messages", tag = "messages", request_body = ToldOneOrMany,
    responses((status = 200, description = "They are registered", body = RegisteredOneOrMany), Problems))]
pub(in crate::http) async fn register(body: Result<Bytes, actix_web::Error>, gateway: Data<Gateway>) -> HttpResponse {
    let Ok(body) = body else { return problem::too_large() };
    let (registrations, is_list) = match read(&body) {
        Ok(read) => read,
        Err(detail) => return problem::answer(StatusCode::BAD_REQUEST, "invalid_registration", detail),
    };
    let references: Vec<String> = registrations.iter().map(|one| one.reference.clone()).collect();
    match gateway.store.register(registrations).await {
        Ok(ids) => {
            let one = |(reference, id)| Registered { reference, id };
            let mut told: Vec<Registered> = references.into_iter().zip(ids).map(one).collect();
            let first = if is_list { None } else { told.pop() };
            HttpResponse::Ok().json(first.map_or_else(|| RegisteredOneOrMany::Many(told), RegisteredOneOrMany::One))
        }
        Err(StoreError::Busy | StoreError::Unavailable) => problem::unavailable(),
        Err(error) => {
            tracing::error!(kind = error.kind(), "messages cannot be registered");
            problem::unavailable()
        }
    }
}
