//! One look at a page: who looks and what may be done; how the store is asked; what every page shows.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, HttpResponse,
    dev::Payload,
    http::StatusCode,
    web::{Data, block},
};
use askama::Template;

use super::{
    csrf,
    frame::{Frame, Section},
    login::Login,
    part::Moment,
    problem::{Problem, Trouble},
};
use crate::{
    gateway::Gateway,
    store::{Store, StoreError},
    time::Timestamp,
};

/// What a page knows of its request.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) gateway: Data<Gateway>,
    pub(super) now: Timestamp,
    login: Login,
}

impl FromRequest for Visit {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gateway = request.app_data::<Data<Gateway>>().cloned();
        let login = request.extensions().get::<Login>().copied();
        // A page that stands outside the login shows nothing.
        ready(gateway.zip(login).map(|(gateway, login)| Self { now: gateway.clock.now(), gateway, login }).ok_or(Problem::bare()))
    }
}

impl Visit {
    /// What every page shows.
    pub(super) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            section: Some(section),
            now: self.now,
            may_write: self.login.may_write,
            is_unverified: self.gateway.endpoints().any(|endpoint| endpoint.unverified.is_some()),
            sought: String::new(),
        }
    }

    pub(super) fn moment(&self, at: impl Into<Option<Timestamp>>) -> Moment {
        Moment::new(at, self.now)
    }

    /// The hidden field of a form; `None` for who may not change anything, and gets no form.
    pub(super) fn form_field(&self) -> Option<String> {
        self.login.may_write.then(|| csrf::field(self.gateway.ops_token(), self.now))
    }

    /// Whether a form with that field may change something.
    pub(super) fn accepts(&self, field: &str) -> bool {
        self.login.may_write && (!self.login.by_password || csrf::is_ours(self.gateway.ops_token(), self.now, field))
    }

    /// Asks the store, off the thread that serves.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let gateway = self.gateway.clone();
        match block(move || question(&gateway.store)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(kind = error.kind(), "a page cannot be shown");
                Err(self.problem(Trouble::Unavailable))
            }
            Err(_) => Err(self.problem(Trouble::Unavailable)),
        }
    }

    pub(super) fn problem(&self, trouble: Trouble) -> Problem {
        Problem::new(trouble, self.frame(Section::Overview, trouble.title()))
    }

    pub(super) fn show(&self, page: &impl Template) -> Result<HttpResponse, Problem> {
        render(StatusCode::OK, page).ok_or_else(|| self.problem(Trouble::Broken))
    }
}

/// A page as an answer.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Option<HttpResponse> {
    let html = page.render().ok()?;
    Some(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html))
}
