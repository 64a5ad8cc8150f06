//! `GET /api/messages`: the status table, newest first, by filters and a keyset cursor.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Query, block},
};
use serde::Deserialize;

use super::answer;
use crate::{gateway::Gateway, store::MessageFilter, time::Timestamp};

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;

/// The query. An unknown parameter is an error: a filter that is silently ignored answers another question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    service_type: Option<String>,
    account: Option<String>,
    status: Option<String>,
    recipient: Option<String>,
    external_id: Option<String>,
    message_id: Option<i64>,
    reference: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<i64>,
    limit: Option<i64>,
}

impl Parameters {
    fn filter(self) -> Option<MessageFilter> {
        let texts = [&self.service_type, &self.account, &self.status, &self.recipient, &self.external_id, &self.reference];
        // No stored text holds a NUL, and Postgres refuses to be asked for one.
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return None;
        }
        let instant = |text: Option<String>| match text {
            None => Some(None),
            Some(text) => Timestamp::parse(&text).map(Some),
        };
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        Some(MessageFilter {
            service_type: self.service_type,
            account: self.account,
            status: self.status,
            recipient: self.recipient,
            external_id: self.external_id,
            message_id: self.message_id,
            reference: self.reference,
            since: instant(self.since)?,
            until: instant(self.until)?,
            cursor: self.cursor,
            limit: (1..=MAX_LIMIT).contains(&limit).then_some(limit)?,
        })
    }
}

pub(super) async fn list(query: Result<Query<Parameters>, actix_web::Error>, gateway: Data<Gateway>) -> HttpResponse {
    let Some(filter) = query.ok().and_then(|query| query.into_inner().filter()) else {
        return answer::failure(StatusCode::BAD_REQUEST, "invalid_query");
    };
    if let Ok(Ok(page)) = block(move || gateway.store.messages(&filter)).await {
        HttpResponse::Ok().json(page)
    } else {
        tracing::error!("messages cannot be listed");
        answer::unavailable()
    }
}
