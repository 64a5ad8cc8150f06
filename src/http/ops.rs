//! Who may use the ops listener.

use actix_web::{
    HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header},
    middleware::Next,
    web::Data,
};

use super::answer;
use crate::gateway::Gateway;

/// Lets a request through that carries a token: `Authorization: Bearer`. The second token may only read.
pub(super) async fn require_token(
    gateway: Data<Gateway>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let token = bearer(&request);
    let (may_read, may_write) = token.map_or((false, false), |token| (gateway.may_read(token), gateway.may_write(token)));
    let refused: HttpResponse = match (may_read, may_write || request.method().is_safe()) {
        (true, true) => return Ok(next.call(request).await?.map_into_left_body()),
        (true, false) => answer::failure(StatusCode::FORBIDDEN, "forbidden"),
        (false, _) => answer::unauthorized(),
    };
    Ok(request.into_response(refused).map_into_right_body())
}

fn bearer(request: &ServiceRequest) -> Option<&[u8]> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
