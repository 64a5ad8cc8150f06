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

use actix_web::{
    HttpResponse, Resource,
    dev::HttpServiceFactory,
    http::header,
    middleware::{DefaultHeaders, from_fn},
    web::{ServiceConfig, get, post, resource},
};

/// No script at all, nothing from elsewhere, no frame around it, forms to here only.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../../../templates/page.css");
const ICON: &str = include_str!("../../../templates/icon.svg");

/// The pages' routes.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(page(resource("/").route(get().to(overview::show))))
        .service(page(resource("/messages").route(get().to(messages::list))))
        .service(page(resource("/messages/{id}").route(get().to(message::show))))
        .service(page(resource("/requests").route(get().to(requests::list))))
        .service(page(resource("/requests/{id}").route(get().to(request::show))))
        .service(page(resource("/requests/{id}/preview").route(post().to(actions::preview))))
        .service(page(resource("/requests/{id}/replay").route(post().to(actions::apply))))
        .service(page(resource("/requests/{id}/discard").route(post().to(actions::discard))))
        .service(page(resource("/inbound").route(get().to(tables::inbound))))
        .service(page(resource("/calls").route(get().to(tables::calls))))
        .service(page(resource("/rooms").route(get().to(tables::rooms))))
        .service(page(resource("/endpoints").route(get().to(endpoints::list))))
        .service(page(resource("/page.css").route(get().to(async || file("text/css; charset=utf-8", STYLE)))))
        .service(page(resource("/icon.svg").route(get().to(async || file("image/svg+xml", ICON)))));
}

fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(text)
}

/// Puts a page behind the login, and says what its browser is told in any case.
fn page(resource: Resource) -> impl HttpServiceFactory + 'static {
    resource.wrap(from_fn(login::require)).wrap(
        DefaultHeaders::new()
            .add((header::CONTENT_SECURITY_POLICY, POLICY))
            .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .add((header::REFERRER_POLICY, "no-referrer"))
            .add((header::CACHE_CONTROL, "no-store"))
            .add(("cross-origin-opener-policy", "same-origin"))
            .add(("cross-origin-resource-policy", "same-origin")),
    )
}
