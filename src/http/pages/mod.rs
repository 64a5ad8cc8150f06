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
mod filter_form;
mod health;
mod layout;
mod login;
mod message;
mod messages;
mod overview;
mod period;
mod query;
mod queue;
mod reference;
mod request;
mod requests;
mod suppressions;
mod tables;

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route,
    dev::HttpServiceFactory,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use super::routes::{allowed, get, post};

const STYLE: &str = include_str!("../../../templates/page.css");
const ICON: &str = include_str!("../../../templates/icon.svg");

/// Registers the pages and forms, each behind a login, and lists them.
macro_rules! pages {
    ($($method:ident $path:literal: $handler:path;)+) => {
        fn pages(config: &mut ServiceConfig) {
            $(config.service(behind_login($path, $method().to($handler), stringify!($method)));)+
        }

        /// Methods and paths of all pages and forms that require a login.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),+];
    };
}

pages! {
    get "/": overview::show;
    get "/messages": messages::list;
    get "/messages/{id}": message::show;
    get "/requests": requests::list;
    get "/requests/{id}": request::show;
    post "/requests/{id}/preview": actions::preview;
    post "/requests/{id}/replay": actions::replay;
    post "/requests/{id}/discard": actions::discard;
    get "/inbound": tables::inbound;
    get "/calls": tables::calls;
    get "/rooms": tables::rooms;
    get "/suppressions": suppressions::list;
    get "/endpoints": endpoints::list;
    get "/docs/": reference::show;
    get "/docs": reference_folder;
    get "/page.css": style;
    get "/icon.svg": icon;
}

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/login", get().to(login::by_link), "get")).configure(pages);
}

async fn reference_folder() -> web::Redirect {
    web::Redirect::to("/docs/").permanent()
}

async fn style() -> HttpResponse {
    asset("text/css; charset=utf-8", STYLE)
}

async fn icon() -> HttpResponse {
    asset("image/svg+xml", ICON)
}

fn asset(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(content_type).body(text)
}

/// A route that requires a login.
fn behind_login(path: &str, route: Route, method: &'static str) -> impl HttpServiceFactory + 'static {
    resource(path, route, method).wrap(from_fn(login::require))
}

fn resource(path: &str, route: Route, method: &'static str) -> Resource {
    let allowed = allowed(&[method]);
    let not_allowed = move |request: HttpRequest| ready(super::api_error::method_not_allowed(&request, &allowed));
    web::resource(path).route(route).default_service(web::to(not_allowed))
}
