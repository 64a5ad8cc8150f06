//! The OpenAPI document of the ops listener.

use std::sync::LazyLock;

use actix_web::{HttpResponse, web::Data};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Server,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{api, api_error::ErrorResponses, health, metrics, queued::Documented};
use crate::gateway::Gateway;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waybill operations",
        description = "The status of messages, the events behind it, and the requests behind those.\n\n\
            Lists are newest first; pass `next_cursor` as `cursor` to get the next page. The event feed is oldest first; pass `next` as \
            `after` to continue without skipping or repeating an event. Times are UTC; \
            `since` includes its time and `until` excludes it, so that consecutive ranges have every row once.\n\n\
            With a spool or a broker, callbacks are acknowledged before they are in the tables. While some are not, responses have the \
            header `Waybill-Queued` with their number: a message that is not found may be among them."
    ),
    paths(
        api::messages::list,
        api::messages::get,
        api::messages::explain,
        api::registrations::register,
        api::events::list,
        api::stream::stream,
        api::inbound_messages::list,
        api::calls::list,
        api::rooms::list,
        api::suppressions::list,
        api::requests::list,
        api::requests::get,
        api::replays::replay,
        api::replays::discard,
        api::stats::stats,
        api::audit::list,
        api::health::health,
        api::reload::reload,
        health::live,
        health::ready,
        metrics::exposition,
        described
    ),
    tags((name = "messages"), (name = "events"), (name = "requests"), (name = "inbound"), (name = "calls and rooms"), (name = "suppressions"), (name = "stats"), (name = "about")),
    modifiers(&Tokens, &Documented),
    security(("bearer" = []))
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer =
            Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("`OPS_TOKEN`, or `OPS_READ_TOKEN` to read")).build();
        let basic = Http::builder()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("The same token as the password; the user name is ignored"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
    }
}

/// The OpenAPI document of the ops listener.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Methods and paths of all routes except pages.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    [api::ROUTES, api::STREAM_ROUTES, health::ROUTES, metrics::ROUTES, ROUTES].into_iter().flatten().copied()
}

super::routes::routes! {
    "/openapi.json" configure ROUTES;
    "": get described;
}

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(document);

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value), ErrorResponses),
    security(("bearer" = []), ("basic" = [])))]
async fn described(gateway: Data<Gateway>) -> HttpResponse {
    let base = &gateway.ops_base_path;
    if base.is_empty() {
        return HttpResponse::Ok().json(&*DOCUMENT);
    }
    let mut document = DOCUMENT.clone();
    document.servers = Some(vec![Server::new(base)]);
    HttpResponse::Ok().json(document)
}
