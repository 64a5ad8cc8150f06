//! Access to the pages: the ops token as the password of HTTP Basic, which browsers ask for, or as a bearer token, or the session
//! cookie of the link that `demo` prints. Browsers attach a password and a cookie to requests from any site, so a form needs a CSRF
//! token as well.

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web::{Data, Form, Query},
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde::Deserialize;

use super::{
    context::{Context, Login},
    error_page::{ErrorPage, PageError},
};
use crate::{
    gateway::{Gateway, Rights},
    http::{
        connection,
        credentials::credentials,
        guess::{self, Denied},
        ops::lacks_database,
    },
};

/// Session cookie, set by a login link.
const COOKIE: &str = "waybill-session=";

fn login(gateway: &Gateway, request: &HttpRequest) -> Result<Login, ErrorPage> {
    let headers = request.headers();
    let mut denied = ErrorPage::unauthorized();
    if let Some(given) = credentials(headers) {
        match guess::rights(request, gateway, &given) {
            Ok(rights) => return Ok(Login { may_write: rights == Rights::All, by_browser: given.is_password }),
            Err(Denied::Limited(_)) => denied = ErrorPage::too_many_guesses(),
            Err(Denied::Wrong) => {}
        }
    }
    // A session's key is random, and cannot be guessed.
    let cookies = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut keys = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE));
    let is_session = keys.any(|key| gateway.login_link.is_session(key.as_bytes()));
    if is_session { Ok(Login { may_write: true, by_browser: true }) } else { Err(denied) }
}

/// Passes requests with a valid login.
pub(super) async fn require(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let login = match login(&gateway, request.request()) {
        Ok(login) => login,
        Err(denied) => return Ok(request.into_response(denied.error_response()).map_into_right_body()),
    };
    if lacks_database(&gateway, request.path()) {
        return Ok(request.into_response(ErrorPage::without_database().error_response()).map_into_right_body());
    }
    connection::note_login(&request);
    request.extensions_mut().insert(login);
    Ok(next.call(request).await?.map_into_left_body())
}

#[derive(Deserialize)]
pub(super) struct LinkQuery {
    #[serde(default)]
    code: String,
}

/// Logs in with the code of a link. Without a valid code it asks for the token, like any page.
pub(super) async fn by_link(
    gateway: Data<Gateway>,
    request: HttpRequest,
    query: Option<Query<LinkQuery>>,
) -> Result<HttpResponse, ErrorPage> {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, "/"));
    let code = query.map(|query| query.into_inner().code).unwrap_or_default();
    // A link is used up by opening it, not by the HEAD of a program that checks it.
    if request.method() == Method::GET
        && let Some(key) = gateway.login_link.redeem(code.as_bytes(), gateway.clock.now())
    {
        // Lax: browsers omit a strict cookie from the redirect if the link was clicked on another site, such as a web terminal.
        let cookie = format!("{COOKIE}{key}; Path=/; HttpOnly; SameSite=Lax");
        return Ok(response.insert_header((header::SET_COOKIE, cookie)).finish());
    }
    // A browser that is logged in already, or sends the token here, continues to the overview.
    login(&gateway, &request).map(|_| response.finish())
}

/// A form submitted from one of our pages by a client that may make changes. Every handler that changes something takes one.
pub(super) struct SubmittedForm(pub(super) Context);

#[derive(Deserialize)]
struct Fields {
    csrf: String,
}

impl FromRequest for SubmittedForm {
    type Error = ErrorPage;
    type Future = LocalBoxFuture<'static, Result<Self, ErrorPage>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let context = Context::extract(request).into_inner();
        let by_browser = request.extensions().get::<Login>().is_none_or(|login| login.by_browser);
        let is_same_origin = request.headers().get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"same-origin");
        let form = Form::<Fields>::from_request(request, payload);
        async move {
            let context = context?;
            let csrf_token = form.await.map(|form| form.into_inner().csrf).unwrap_or_default();
            if context.csrf_token().is_none() {
                return Err(context.error(PageError::ReadOnly));
            }
            if by_browser && !is_same_origin {
                return Err(context.error(PageError::CrossSite));
            }
            if context.may_submit(&csrf_token) { Ok(Self(context)) } else { Err(context.error(PageError::FormExpired)) }
        }
        .boxed_local()
    }
}
