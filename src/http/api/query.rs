//! What stands in a query: closed words, instants, cursors. An unknown parameter or value is an error: a filter that is silently
//! ignored answers another question.

use std::str::FromStr;

use actix_web::{HttpRequest, web::Query};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use utoipa::openapi::{ObjectBuilder, Type};

use crate::{
    address, providers,
    status::Status,
    store::{Bucket, Cursor, RequestState},
    time::Timestamp,
};

/// Rows of a page if nothing is said, and at the most.
const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;

/// The longest text to look for.
const MAX_TEXT: usize = 255;

/// Reads a query, or tells in a sentence what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, String> {
    match Query::<T>::from_query(request.query_string()) {
        Ok(Query(read)) => Ok(read),
        Err(actix_web::error::QueryPayloadError::Deserialize(error)) => Err(error.to_string()),
        Err(_) => Err("expected parameters".to_owned()),
    }
}

/// A value of a query. What is expected stands in the error, and never what was given.
pub(super) trait Value: Sized {
    fn read(text: &str) -> Result<Self, &'static str>;
}

pub(super) fn value<'de, D: Deserializer<'de>, T: Value>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::read(&text).map(Some).map_err(D::Error::custom)
}

/// The query of a list: its own parameters, and those of every list.
macro_rules! query {
    ($(#[$of:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $Value:ty,)* }) => {
        $(#[$of])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(in crate::http) struct $name {
            $(
                $(#[$about])*
                #[serde(default, deserialize_with = "super::query::value")]
                #[param(inline)]
                $field: Option<$Value>,
            )*
            /// Of one provider.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(inline)]
            service_type: Option<super::query::ServiceType>,
            /// Of one account, as in its URL.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(inline)]
            account: Option<super::query::Text>,
            /// From this instant on.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(inline)]
            since: Option<crate::time::Timestamp>,
            /// Before this instant.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(inline)]
            until: Option<crate::time::Timestamp>,
            /// `next_cursor` of the page before.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(value_type = Option<String>)]
            cursor: Option<crate::store::Cursor>,
            /// Rows at the most.
            #[serde(default, deserialize_with = "super::query::value")]
            #[param(inline)]
            limit: Option<super::query::Limit>,
        }
    };
}
pub(super) use query;

/// A filter of the store, from a query: its own fields, and those of every list.
macro_rules! filter {
    ($query:ident, $Filter:ident { $($field:ident: $value:expr),* }) => {
        $Filter {
            $($field: $value,)*
            service_type: $query.service_type.map(|provider| provider.0),
            account: $query.account.map(|text| text.0),
            since: $query.since,
            until: $query.until,
            cursor: $query.cursor,
            limit: super::query::Limit::or_default($query.limit),
        }
    };
}
pub(super) use filter;

/// What the document says of a value.
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

/// Some text to look for.
#[derive(Debug)]
pub(in crate::http) struct Text(pub(super) String);

schema!(Text: ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(MAX_TEXT)));

impl Value for Text {
    fn read(text: &str) -> Result<Self, &'static str> {
        // No stored text holds a NUL, and Postgres refuses to be asked for one.
        let fits = (1..=MAX_TEXT).contains(&text.len()) && !text.contains('\0');
        fits.then(|| Self(text.to_owned())).ok_or("expected a text of 1 to 255 bytes without NUL")
    }
}

impl Text {
    /// A number or an address as the tables have it, however it was typed; a `+` that was not escaped, too.
    pub(super) fn address(self) -> String {
        address::any(&self.0)
    }
}

/// A provider by its name.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct ServiceType(pub(super) &'static str);

impl Value for ServiceType {
    fn read(text: &str) -> Result<Self, &'static str> {
        providers::find(text).map(|spec| Self(spec.name)).ok_or("service_type: expected a provider's name in lower case")
    }
}

schema!(ServiceType: ObjectBuilder::new().schema_type(Type::String).enum_values(Some(providers::ALL.map(|spec| spec.name))));

impl Value for Status {
    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "status: expected a status in lower case, such as delivered")
    }
}

impl Value for RequestState {
    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "state: expected processed, quarantined, discarded or rejected")
    }
}

impl Value for Bucket {
    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "bucket: expected hour or day")
    }
}

impl Value for Timestamp {
    fn read(text: &str) -> Result<Self, &'static str> {
        Self::parse(text).ok_or("since, until: expected an instant such as 2026-03-14T15:30:00Z")
    }
}

impl Value for Cursor {
    fn read(text: &str) -> Result<Self, &'static str> {
        Self::from_str(text).map_err(|_| "cursor: expected the next_cursor of the page before")
    }
}

/// The application's number of a message. One that is no row's is no error: nothing is found.
impl Value for i64 {
    fn read(text: &str) -> Result<Self, &'static str> {
        text.parse().map_err(|_| "message_id: expected a number")
    }
}

/// How many rows at the most.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Limit(i64);

schema!(Limit: ObjectBuilder::new()
    .schema_type(Type::Integer)
    .minimum(Some(1))
    .maximum(Some(MAX_LIMIT))
    .default(Some(DEFAULT_LIMIT.into())));

impl Value for Limit {
    fn read(text: &str) -> Result<Self, &'static str> {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.map(Self).ok_or("limit: expected a number from 1 to 500")
    }
}

impl Limit {
    pub(super) fn or_default(limit: Option<Self>) -> i64 {
        limit.map_or(DEFAULT_LIMIT, |limit| limit.0)
    }
}
