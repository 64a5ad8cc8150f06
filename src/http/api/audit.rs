//! `GET /api/audit`: the changes made by hand.

#![expect(unused_qualifications, reason = "inside utoipa's macro")]

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    list::list_body,
    parameters::{Limit, parse_optional},
    store_query::respond_to,
};
use crate::{
    gateway::Gateway,
    http::api_error::ErrorResponses,
    store::{AuditEntry, AuditFilter, Cursor},
    time::Timestamp,
};

/// Selects entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AuditQuery {
    /// Only from this time on.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    since: Option<Timestamp>,
    /// Only before this time.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    until: Option<Timestamp>,
    /// `next_cursor` of the previous page.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Maximum number of entries.
    #[serde(default, deserialize_with = "parse_optional")]
    #[param(inline)]
    limit: Option<Limit>,
}

list_body!(AuditLog, entries: AuditEntry);

/// Replays, discards, erasures, registrations and reloads, newest first: when, with which kind of credential, and of what.
#[utoipa::path(get, path = "/api/audit", operation_id = "list_audit", tag = "about", params(AuditQuery),
    responses((status = 200, description = "One page", body = AuditLog), ErrorResponses))]
pub(in crate::http) async fn list(request: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    respond_to(&request, gateway, |store, AuditQuery { since, until, cursor, limit }| {
        let filter = AuditFilter { since, until, cursor, limit: Limit::or_default(limit) };
        store.audit_entries(&filter).map(AuditLog::from)
    })
    .await
}
