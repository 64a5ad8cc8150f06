//! Replay and discard of quarantined and rejected requests. Each form is answered with the request's page and the result.

use actix_web::{HttpResponse, http::header, web};

use super::{
    action_result::ActionResult,
    components::Severity,
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::Section,
    login::SubmittedForm,
    request,
};
use crate::{
    replay::{self, ReplayError},
    store::{RequestId, RequestState},
};

pub(super) async fn preview(form: SubmittedForm, id: web::Path<String>) -> Result<HttpResponse, ErrorPage> {
    replay_request(form, &id, true).await
}

pub(super) async fn replay(form: SubmittedForm, id: web::Path<String>) -> Result<HttpResponse, ErrorPage> {
    replay_request(form, &id, false).await
}

async fn replay_request(SubmittedForm(context): SubmittedForm, id: &str, is_dry_run: bool) -> Result<HttpResponse, ErrorPage> {
    let id = parse_id(&context, id)?;
    let result = match replay::replay(&context.gateway.store, &context.gateway.router(), id, is_dry_run, context.author()).await {
        Ok(replayed) => ActionResult::from(replayed),
        Err(ReplayError::NotFound) => return Err(context.error(PageError::NotFound)),
        Err(ReplayError::Store(_)) => return Err(context.error(PageError::Unavailable)),
        Err(error) => ActionResult::notice(Severity::Failure, format!("Not replayed: {error}.")),
    };
    respond(&context, id, result).await
}

pub(super) async fn discard(SubmittedForm(context): SubmittedForm, id: web::Path<String>) -> Result<HttpResponse, ErrorPage> {
    let id = parse_id(&context, &id)?;
    let result = match replay::discard(&context.gateway.store, id, context.author()).await {
        Ok(()) => ActionResult::notice(Severity::Success, "Discarded. The request will not be applied."),
        Err(ReplayError::NotFound) => return Err(context.error(PageError::NotFound)),
        Err(ReplayError::Store(_)) => return Err(context.error(PageError::Unavailable)),
        Err(error) => ActionResult::notice(Severity::Failure, format!("Not discarded: {error}.")),
    };
    respond(&context, id, result).await
}

/// Shows the request as it is now. A rejected request that was deleted leads back to the list.
async fn respond(context: &Context, id: RequestId, result: ActionResult) -> Result<HttpResponse, ErrorPage> {
    match request::page(context, id, result).await {
        Err(error) if error.is(PageError::NotFound) => {
            let rejected = Section::Requests.with_query(&[("state", RequestState::Rejected.as_ref())]);
            Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, rejected)).finish())
        }
        page => page,
    }
}

fn parse_id(context: &Context, id: &str) -> Result<RequestId, ErrorPage> {
    id.parse().map_err(|_| context.error(PageError::NotFound))
}
