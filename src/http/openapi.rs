//! What the ops listener offers, as an OpenAPI document, and a page to read and try it.

use std::sync::{Arc, LazyLock};

use actix_web::{
    HttpResponse,
    http::header,
    web::{Data, Path, ServiceConfig},
};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::Config;

use super::{
    api, health, metrics,
    problem::{self, Problem},
};

/// What goes wrong is answered alike everywhere.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document only")]
pub(super) enum Problems {
    /// A parameter or the body is not what is expected.
    #[response(status = 400)]
    Invalid(#[to_schema] Problem),
    /// There is no token, or a wrong one.
    #[response(status = 401)]
    Unauthorized(#[to_schema] Problem),
    /// The token may only read.
    #[response(status = 403)]
    Forbidden(#[to_schema] Problem),
    /// There is none of that id.
    #[response(status = 404)]
    NotFound(#[to_schema] Problem),
    /// The path takes other methods, which `Allow` names.
    #[response(status = 405)]
    MethodNotAllowed(#[to_schema] Problem),
    /// The body is over 256 KiB.
    #[response(status = 413)]
    TooLarge(#[to_schema] Problem),
    /// The database does not answer, or too much is asked at once; try again after `Retry-After` seconds.
    #[response(status = 503)]
    Unavailable(#[to_schema] Problem),
}

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Waybill operations",
        description = "What became of messages: the status table, the events behind it, the requests behind those.\n\n\
            Lists are newest first; ask again with `cursor` = `next_cursor` for the next page. The feed of events is oldest first; \
            ask again with `after` = `next`, and nothing is missed or seen twice. Instants are UTC."
    ),
    paths(
        api::messages::all,
        api::messages::one,
        api::messages::explain,
        api::registrations::register,
        api::events::after,
        api::stream::stream,
        api::others::inbound,
        api::others::calls,
        api::others::rooms,
        api::requests::all,
        api::requests::one,
        api::replays::replay,
        api::replays::discard,
        api::stats::stats,
        api::health::health,
        health::live,
        health::ready,
        metrics::exposition,
        described
    ),
    modifiers(&Tokens),
    security(("bearer" = []))
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer =
            Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("`OPS_TOKEN`, or `OPS_READ_TOKEN` to read")).build();
        let basic =
            Http::builder().scheme(HttpAuthScheme::Basic).description(Some("The same as the password of any user")).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        components.add_security_scheme("basic", SecurityScheme::Http(basic));
    }
}

/// The OpenAPI document of the ops listener.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Methods and paths of everything that is registered, but for pages.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    [api::ROUTES, api::STREAM_ROUTES, health::ROUTES, metrics::ROUTES, ROUTES].into_iter().flatten().copied()
}

super::routes::routes! {
    /// Registers the document.
    "/openapi.json" configure ROUTES;
    "": get described;
}

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(document);

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value), Problems),
    security(("bearer" = []), ("basic" = [])))]
async fn described() -> HttpResponse {
    HttpResponse::Ok().json(&*DOCUMENT)
}

/// Nothing from elsewhere, and nothing written into the page.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Registers the page.
pub(super) fn configure_page(config: &mut ServiceConfig) {
    // Its files are named from its folder.
    let folder = || async { HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish() };
    config
        .app_data(Data::from(Arc::new(Config::from("/openapi.json"))))
        .service(actix_web::web::resource("").route(actix_web::web::get().to(folder)))
        .service(actix_web::web::resource("/{file:.*}").route(actix_web::web::get().to(page)));
}

async fn page(file: Path<String>, config: Data<Config<'static>>) -> HttpResponse {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(&file, config.into_inner()) else { return problem::not_found() };
    HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(file.bytes.into_owned())
}
