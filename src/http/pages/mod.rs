//! The pages of the ops listener, for people: rendered here, without a script, in one style sheet.

mod actions;
mod body;
mod csrf;
mod endpoints;
mod frame;
mod health;
mod login;
mod message;
mod messages;
mod overview;
mod part;
mod period;
mod plot;
mod problem;
mod query;
mod request;
mod requests;
mod tables;
mod visit;

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Route,
    dev::HttpServiceFactory,
    http::header,
    middleware::{DefaultHeaders, from_fn},
    web::{self, ServiceConfig, get, post},
};

/// No script at all, nothing from elsewhere, no frame around it, forms to here only.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../../../templates/page.css");
const ICON: &str = include_str!("../../../templates/icon.svg");

/// The pages' routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(page("/", get().to(overview::show)))
        .service(page("/messages", get().to(messages::list)))
        .service(page("/messages/{id}", get().to(message::show)))
        .service(page("/requests", get().to(requests::list)))
        .service(page("/requests/{id}", get().to(request::show)))
        .service(form("/requests/{id}/preview", post().to(actions::preview)))
        .service(form("/requests/{id}/replay", post().to(actions::apply)))
        .service(form("/requests/{id}/discard", post().to(actions::discard)))
        .service(page("/inbound", get().to(tables::inbound)))
        .service(page("/calls", get().to(tables::calls)))
        .service(page("/rooms", get().to(tables::rooms)))
        .service(page("/endpoints", get().to(endpoints::list)))
        .service(page("/page.css", get().to(async || file("text/css; charset=utf-8", STYLE))))
        .service(page("/icon.svg", get().to(async || file("image/svg+xml", ICON))));
}

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(text)
}

fn page(path: &str, route: Route) -> impl HttpServiceFactory + 'static {
    behind_login(path, route, "GET")
}

/// What a form is sent to.
fn form(path: &str, route: Route) -> impl HttpServiceFactory + 'static {
    behind_login(path, route, "POST")
}

/// Puts a route behind the login, and says what the browser is told in any case.
fn behind_login(path: &str, route: Route, allowed: &'static str) -> impl HttpServiceFactory + 'static {
    let not_allowed = move |request: HttpRequest| ready(super::problem::method_not_allowed(&request, allowed));
    web::resource(path).route(route).default_service(web::to(not_allowed)).wrap(from_fn(login::require)).wrap(
        DefaultHeaders::new()
            .add((header::CONTENT_SECURITY_POLICY, POLICY))
            .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .add((header::REFERRER_POLICY, "no-referrer"))
            .add((header::CACHE_CONTROL, "no-store"))
            .add(("cross-origin-opener-policy", "same-origin"))
            .add(("cross-origin-resource-policy", "same-origin")),
    )
}
