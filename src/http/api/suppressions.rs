//! `GET /api/suppressions`: recipients to whom no message should be sent.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    list::{list_filter, list_query},
    parameters::{self, AddressText},
    store_query::respond,
};
use crate::{
    gateway::Gateway,
    http::{
        api_error::{self, ErrorResponses},
        query::Class,
    },
    status::Channel,
    store::{Cursor, Suppression, SuppressionFilter, SuppressionPage, SuppressionReason, SuppressionState},
};

list_query! {
    /// Selects suppressions. `since` and `until` select by the receipt of the first report.
    SuppressionsQuery {
        /// Only this recipient: a phone number or address, in any notation.
        address: AddressText,
        /// Only this channel.
        channel: Channel,
        /// Only this reason.
        reason: SuppressionReason,
        /// Active ones (the default), lifted ones, or all.
        state: SuppressionState,
    }
}

/// One page, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the name of the list")]
pub(in crate::http) struct Suppressions {
    /// The rows.
    suppressions: Vec<Suppression>,
    /// The `cursor` of the next page; null on the last page. A page that matches few rows may be short or empty without being the last.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Cursor>,
    /// The number of newest events and inbound messages that the list may not cover yet; 0 unless the gateway is busy or catches up.
    unindexed: i64,
}

impl From<SuppressionPage> for Suppressions {
    fn from(SuppressionPage { page, unindexed }: SuppressionPage) -> Self {
        Self { suppressions: page.items, next_cursor: page.next_cursor, unindexed }
    }
}

/// Recipients who opted out, unsubscribed, complained, do not exist or are suppressed at the provider, newest first.
#[utoipa::path(get, path = "/api/suppressions", operation_id = "list_suppressions", tag = "suppressions", params(SuppressionsQuery),
    responses((status = 200, description = "One page", body = Suppressions), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    let parameters = match parameters::parse::<SuppressionsQuery>(&request) {
        Ok(parameters) => parameters,
        Err(detail) => return api_error::invalid_query(detail),
    };
    let filter = list_filter!(
        parameters,
        SuppressionFilter {
            address: parameters.address.map(|text| text.0),
            channel: parameters.channel,
            reason: parameters.reason,
            state: parameters.state.unwrap_or_default()
        }
    );
    // A failure leaves them to the background, and the response says how many events are missing.
    drop(gateway.store.derive_suppressions().await);
    respond(gateway, Class::List, move |gateway| gateway.store.suppressions(&filter).map(Suppressions::from)).await
}
