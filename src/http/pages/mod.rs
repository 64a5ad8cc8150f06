//! The pages of the ops listener, rendered on the server, without scripts, with one style sheet.

mod action_result;
mod actions;
mod body;
mod chart;
mod components;
mod context;
mod csrf;
mod endpoints;
mod error_page;
mod health;
mod layout;
mod login;
mod message;
mod messages;
mod overview;
mod period;
mod query;
mod reference;
mod request;
mod requests;
mod tables;

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route,
    dev::HttpServiceFactory,
    http::header,
    middleware::{DefaultHeaders, from_fn},
    web::{self, ServiceConfig, get, post},
};

/// Allows no scripts, no frames, and nothing from other origins; forms may be submitted to this origin only.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../../../templates/page.css");
const ICON: &str = include_str!("../../../templates/icon.svg");

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(public("/login", get().to(login::by_link), "GET"))
        .service(page("/", get().to(overview::show)))
        .service(page("/messages", get().to(messages::list)))
        .service(page("/messages/{id}", get().to(message::show)))
        .service(page("/requests", get().to(requests::list)))
        .service(page("/requests/{id}", get().to(request::show)))
        .service(form("/requests/{id}/preview", post().to(actions::preview)))
        .service(form("/requests/{id}/replay", post().to(actions::replay)))
        .service(form("/requests/{id}/discard", post().to(actions::discard)))
        .service(page("/inbound", get().to(tables::inbound)))
        .service(page("/calls", get().to(tables::calls)))
        .service(page("/rooms", get().to(tables::rooms)))
        .service(page("/endpoints", get().to(endpoints::list)))
        .service(page("/docs/", get().to(reference::show)))
        .service(page("/docs", get().to(async || web::Redirect::to("/docs/").permanent())))
        .service(page("/page.css", get().to(async || asset("text/css; charset=utf-8", STYLE))))
        .service(page("/icon.svg", get().to(async || asset("image/svg+xml", ICON))));
}

fn asset(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(text)
}

fn page(path: &str, route: Route) -> impl HttpServiceFactory + 'static {
    behind_login(path, route, "GET")
}

fn form(path: &str, route: Route) -> impl HttpServiceFactory + 'static {
    behind_login(path, route, "POST")
}

/// A route that requires a login.
fn behind_login(path: &str, route: Route, allowed: &'static str) -> impl HttpServiceFactory + 'static {
    resource(path, route, allowed).wrap(from_fn(login::require)).wrap(security_headers())
}

/// A route that requires no login.
fn public(path: &str, route: Route, allowed: &'static str) -> impl HttpServiceFactory + 'static {
    resource(path, route, allowed).wrap(security_headers())
}

fn resource(path: &str, route: Route, allowed: &'static str) -> Resource {
    let not_allowed = move |request: HttpRequest| ready(super::api_error::method_not_allowed(&request, allowed));
    web::resource(path).route(route).default_service(web::to(not_allowed))
}

fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CACHE_CONTROL, "no-store"))
        .add(("cross-origin-opener-policy", "same-origin"))
        .add(("cross-origin-resource-policy", "same-origin"))
}
