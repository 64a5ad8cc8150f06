//! `POST /api/messages`: the application tells of its messages, one or many. Telling twice is safe: what is told anew counts,
//! what is left out stays, so that a message can be registered before it is sent and again with the id that sending gave.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Bytes, Data},
};
use serde::Deserialize;
use serde_json::{Value, json as object};

use super::answer::{self, Unacceptable};
use crate::{
    address,
    endpoint::Account,
    event::ExternalId,
    gateway::Gateway,
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    reference: String,
    service_type: String,
    account: Option<String>,
    external_id: Option<String>,
    recipient: Option<String>,
    channel: Option<Channel>,
    sent_at: Option<String>,
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

pub(super) async fn register(body: Result<Bytes, actix_web::Error>, gateway: Data<Gateway>) -> HttpResponse {
    let Ok(body) = body else { return answer::unacceptable(Unacceptable::TooLarge) };
    let (registrations, is_list) = match read(&body) {
        Ok(read) => read,
        Err(detail) => {
            let answer = object!({ "success": false, "error": "invalid_registration", "detail": detail });
            return HttpResponse::build(StatusCode::BAD_REQUEST).json(answer);
        }
    };
    let references: Vec<String> = registrations.iter().map(|one| one.reference.clone()).collect();
    match gateway.store.register(registrations).await {
        Ok(ids) => {
            let one = |(reference, id)| object!({ "reference": reference, "id": id });
            let mut told: Vec<Value> = references.into_iter().zip(ids).map(one).collect();
            HttpResponse::Ok().json(if is_list { Value::Array(told) } else { told.pop().unwrap_or_default() })
        }
        Err(StoreError::Busy | StoreError::Unavailable) => answer::unavailable(),
        Err(error) => {
            tracing::error!("messages cannot be registered: {error}");
            answer::unavailable()
        }
    }
}
