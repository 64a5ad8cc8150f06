//! Who may look at the pages: the ops token as the password of HTTP Basic, which browsers ask for, or as a bearer token.
//! No cookies: nothing that a browser would send from another page on its own but the password, and for that there is the
//! form's field.

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, ResponseError,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
    web::{Data, Form},
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde::Deserialize;

use super::{
    problem::{Problem, Trouble},
    visit::Visit,
};
use crate::{
    gateway::Gateway,
    http::ops::{self, Credentials},
};

/// What a visitor showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login {
    pub(super) may_write: bool,
    pub(super) by_password: bool,
}

/// Lets through who carries a token.
pub(super) async fn require(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let given = ops::credentials(request.headers()).filter(|given| gateway.may_read(&given.token));
    let Some(Credentials { token, is_password }) = given else {
        return Ok(request.into_response(Problem::bare().error_response()).map_into_right_body());
    };
    let login = Login { may_write: gateway.may_write(&token), by_password: is_password };
    request.extensions_mut().insert(login);
    Ok(next.call(request).await?.map_into_left_body())
}

/// A form of ours, sent from a page of ours, by someone who may change something. Whatever changes something takes one.
pub(super) struct Confirmed(pub(super) Visit);

#[derive(Deserialize)]
struct Fields {
    csrf: String,
}

impl FromRequest for Confirmed {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::extract(request).into_inner();
        let by_password = request.extensions().get::<Login>().is_none_or(|login| login.by_password);
        let site = request.headers().get("sec-fetch-site").map(|site| site.as_bytes() == b"same-origin");
        let form = Form::<Fields>::from_request(request, payload);
        async move {
            let visit = visit?;
            let field = form.await.map(|form| form.into_inner().csrf).unwrap_or_default();
            if visit.form_field().is_none() {
                return Err(visit.problem(Trouble::ReadOnly));
            }
            if by_password && site != Some(true) {
                return Err(visit.problem(Trouble::OtherSite));
            }
            if visit.accepts(&field) { Ok(Self(visit)) } else { Err(visit.problem(Trouble::OldForm)) }
        }
        .boxed_local()
    }
}
