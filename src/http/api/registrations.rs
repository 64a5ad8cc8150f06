//! `POST /api/messages`: the application registers its messages. A second registration updates the given fields and leaves the others,
//! so that a message can be registered before it is sent and again with the provider's id.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Bytes, Data},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::parameters::MAX_ADDRESS;
use crate::{
    address,
    endpoint::Account,
    event::ExternalId,
    gateway::Gateway,
    http::api_error::{self, ErrorResponses},
    json, providers,
    status::Channel,
    store::{Actor, Registration, StoreError},
    time::Timestamp,
};

/// Maximum number of messages in one request.
const MAX_MESSAGES: usize = 1_000;

/// Longest reference or external id, in bytes.
const MAX_TEXT: usize = 255;

/// A message to register. An unknown field is an error, so that a typo is not silently ignored.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub(in crate::http) struct RegistrationBody {
    /// The application's own key for the message.
    #[schema(min_length = 1, max_length = 255, example = "order-1")]
    reference: String,
    /// Provider.
    #[schema(value_type = super::parameters::ServiceType, inline)]
    service_type: String,
    /// Account, as in its URL or in its variables. Default: `default`.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", example = "default")]
    account: Option<String>,
    /// The provider's id, once known.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    /// Phone number or e-mail address, in any notation.
    #[schema(min_length = 1, max_length = 998)]
    recipient: Option<String>,
    /// Channel of the message.
    channel: Option<Channel>,
    /// Time of sending.
    #[schema(value_type = Option<Timestamp>, inline)]
    sent_at: Option<String>,
}

/// One message, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document only: `parse` distinguishes them, which gives better errors")]
pub(in crate::http) enum RegistrationBodies {
    /// One.
    One(RegistrationBody),
    /// At most 1,000.
    Many(Vec<RegistrationBody>),
}

/// A registered message.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Registered {
    /// The application's own key for the message.
    reference: String,
    /// Its id: `message_id` of the rows matched with it.
    id: i64,
}

/// One message or several, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum RegisteredOneOrMany {
    /// One.
    One(Registered),
    /// Many.
    Many(Vec<Registered>),
}

impl RegistrationBody {
    /// Converts to a registration; the error is the name of the invalid field.
    fn into_registration(self) -> Result<Registration, &'static str> {
        let is_text = |text: &str, max: usize| (1..=max).contains(&text.len()) && !text.contains('\0');
        let is_valid = |text: &str| is_text(text, MAX_TEXT);
        // Written as in the URL or as in variables.
        let account = match self.account.as_deref() {
            None | Some("default") => Account::unnamed(),
            Some(name) => name.to_uppercase().replace('-', "_").parse().map_err(|_| "account")?,
        };
        let spec = providers::find(&self.service_type).ok_or("service_type")?;
        let is_email = self.channel == Some(Channel::Email) || spec.is_email();
        Ok(Registration {
            reference: Some(self.reference).filter(|reference| is_valid(reference)).ok_or("reference")?,
            service_type: spec.name,
            account: account.as_str().to_owned(),
            external_id: self
                .external_id
                .map(|id| ExternalId::new(&id).filter(|_| is_valid(&id)).ok_or("external_id"))
                .transpose()?,
            recipient: match self.recipient {
                None => None,
                Some(recipient) if is_text(&recipient, MAX_ADDRESS) => address::reported(&recipient, is_email),
                Some(_) => return Err("recipient"),
            },
            channel: self.channel,
            sent_at: self.sent_at.map(|text| Timestamp::parse(&text).ok_or("sent_at")).transpose()?,
        })
    }
}

/// Parses one message or a list of them; the flag is true for a list. Errors never quote the input.
fn parse(body: &[u8]) -> Result<(Vec<Registration>, bool), String> {
    let value = json::parse(body).map_err(|_| "expected JSON without duplicate fields".to_owned())?;
    let (list, is_list) = match value {
        Value::Array(list) => (list, true),
        one => (vec![one], false),
    };
    if list.len() > MAX_MESSAGES {
        return Err(format!("expected at most {MAX_MESSAGES} messages"));
    }
    let one = |(index, value): (usize, Value)| {
        let body: RegistrationBody = serde_json::from_value(value).map_err(|_| {
            format!("message {index}: expected reference and service_type, and optionally account, external_id, recipient, channel, sent_at")
        })?;
        body.into_registration().map_err(|field| format!("message {index}: invalid {field}"))
    };
    Ok((list.into_iter().enumerate().map(one).collect::<Result<_, _>>()?, is_list))
}

/// Registers messages of the application. Registering twice is safe.
#[utoipa::path(post, path = "/api/messages", operation_id = "register_messages", tag = "messages", request_body = RegistrationBodies,
    responses((status = 200, description = "The registered messages", body = RegisteredOneOrMany), ErrorResponses))]
pub(in crate::http) async fn register(body: Result<Bytes, actix_web::Error>, gateway: Data<Gateway>) -> HttpResponse {
    let Ok(body) = body else { return api_error::too_large() };
    let (registrations, is_list) = match parse(&body) {
        Ok(parsed) => parsed,
        Err(detail) => return api_error::response(StatusCode::BAD_REQUEST, "invalid_registration", detail),
    };
    let references: Vec<String> = registrations.iter().map(|one| one.reference.clone()).collect();
    match gateway.store.register(registrations, gateway.author(Actor::Ops)).await {
        Ok(ids) => {
            let one = |(reference, id)| Registered { reference, id };
            let mut registered: Vec<Registered> = references.into_iter().zip(ids).map(one).collect();
            let first = if is_list { None } else { registered.pop() };
            HttpResponse::Ok().json(first.map_or_else(|| RegisteredOneOrMany::Many(registered), RegisteredOneOrMany::One))
        }
        Err(StoreError::Busy | StoreError::Unavailable) => api_error::unavailable(),
        Err(error) => {
            tracing::error!(kind = error.kind(), "registration failed");
            api_error::unavailable()
        }
    }
}
