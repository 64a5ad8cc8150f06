//! Query parameters: enumerations, times, cursors. An unknown parameter or value is an error: a response that silently ignored a
//! filter would be misleading.

use std::str::FromStr;

use actix_web::{HttpRequest, web::Query};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use utoipa::openapi::{ObjectBuilder, Type};

use crate::{
    providers,
    status::{Channel, Status},
    store::{Bucket, Cursor, RequestState, SuppressionReason, SuppressionState},
    time::Timestamp,
};

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;

/// Longest text to search for, in bytes.
const MAX_TEXT: usize = 255;

/// Longest notation of an address, in bytes: a line of a header (RFC 5322, 2.1.1).
pub(in crate::http) const MAX_ADDRESS: usize = 998;

/// Parses the query of a request; the error is a sentence.
pub(super) fn parse<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, String> {
    match Query::<T>::from_query(request.query_string()) {
        Ok(Query(parameters)) => Ok(parameters),
        Err(actix_web::error::QueryPayloadError::Deserialize(error)) => Err(error.to_string()),
        Err(_) => Err("expected query parameters".to_owned()),
    }
}

/// A query parameter. Its errors state what is expected and never quote the input.
pub(super) trait Parameter: Sized {
    fn parse_text(text: &str) -> Result<Self, &'static str>;
}

pub(super) fn parse_optional<'de, D: Deserializer<'de>, T: Parameter>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::parse_text(&text).map(Some).map_err(D::Error::custom)
}

/// Sets the OpenAPI schema of a parameter.
macro_rules! schema {
    ($Value:ty: $schema:expr) => {
        impl utoipa::PartialSchema for $Value {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $Value {}
    };
}
pub(super) use schema;

/// Text to search for.
#[derive(Debug)]
pub(in crate::http) struct Text(pub(super) String);

schema!(Text: ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_TEXT)));

impl Parameter for Text {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        // No stored text contains NUL, and Postgres rejects a query with one.
        let is_valid = (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0');
        is_valid.then(|| Self(text.to_owned())).ok_or("expected 1 to 255 bytes of text without NUL")
    }
}

/// An address in any notation, such as a header has it.
#[derive(Debug)]
pub(in crate::http) struct AddressText(pub(super) String);

schema!(AddressText: ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_ADDRESS)));

impl Parameter for AddressText {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        let is_valid = (1..=MAX_ADDRESS).contains(&text.len()) && !text.contains('\0');
        is_valid.then(|| Self(text.to_owned())).ok_or("expected 1 to 998 bytes of text without NUL")
    }
}

/// Name of a provider.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct ServiceType(pub(super) &'static str);

impl Parameter for ServiceType {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        providers::find(text).map(|spec| Self(spec.name)).ok_or("service_type: expected a provider's name in lower case")
    }
}

schema!(ServiceType: ObjectBuilder::new().schema_type(Type::String).enum_values(Some(providers::ALL.iter().map(|spec| spec.name))));

impl Parameter for Status {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "status: expected a status in lower case, such as delivered")
    }
}

impl Parameter for RequestState {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "state: expected processed, quarantined, discarded or rejected")
    }
}

impl Parameter for Channel {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "channel: expected sms, mms, whatsapp, rcs, email, voice or chat")
    }
}

impl Parameter for SuppressionReason {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "reason: expected opt_out, unsubscribed, complaint, hard_bounce or suppressed")
    }
}

impl Parameter for SuppressionState {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "state: expected active, lifted or all")
    }
}

impl Parameter for Bucket {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "bucket: expected minute, hour or day")
    }
}

impl Parameter for Timestamp {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        Self::parse(text).ok_or("since, until: expected a time such as 2026-03-14T15:30:00Z")
    }
}

impl Parameter for Cursor {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        Self::from_str(text).map_err(|_| "cursor: expected the next_cursor of the previous page")
    }
}

/// The application's message id. An unknown id is no error and matches nothing.
impl Parameter for i64 {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "message_id: expected a number")
    }
}

/// Maximum number of rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Limit(i64);

schema!(Limit: ObjectBuilder::new()
    .schema_type(Type::Integer)
    .minimum(Some(1))
    .maximum(Some(MAX_LIMIT))
    .default(Some(DEFAULT_LIMIT.into())));

impl Parameter for Limit {
    fn parse_text(text: &str) -> Result<Self, &'static str> {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.map(Self).ok_or("limit: expected a number from 1 to 500")
    }
}

impl Limit {
    pub(super) fn or_default(limit: Option<Self>) -> i64 {
        limit.map_or(DEFAULT_LIMIT, |limit| limit.0)
    }
}
