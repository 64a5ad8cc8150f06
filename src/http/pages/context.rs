//! Context of a page request: the login, access to the store, and the parts that every page shows.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, dev::Payload, http::StatusCode, web::Data};
use askama::Template;

use super::{
    components::RelativeTime,
    csrf,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Section, render},
    queue::QueueView,
};
use crate::{
    gateway::Gateway,
    http::query::{self, Class, QueryError},
    store::{Actor, Author, Store, StoreError},
    time::Timestamp,
};

/// Permissions of the client's credentials. The login middleware adds it to the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Login {
    pub(super) may_write: bool,
    /// A browser attached the credentials by itself.
    pub(super) by_browser: bool,
}

#[derive(Clone)]
pub(super) struct Context {
    pub(super) gateway: Data<Gateway>,
    pub(super) now: Timestamp,
    login: Login,
}

impl FromRequest for Context {
    type Error = ErrorPage;
    type Future = Ready<Result<Self, ErrorPage>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gateway = request.app_data::<Data<Gateway>>().cloned();
        let login = request.extensions().get::<Login>().copied();
        // A page whose route lacks the login middleware shows nothing.
        ready(
            gateway
                .zip(login)
                .map(|(gateway, login)| Self { now: gateway.clock.now(), gateway, login })
                .ok_or_else(ErrorPage::unauthorized),
        )
    }
}

impl Context {
    pub(super) fn layout(&self, section: Section, title: impl Into<String>) -> Layout {
        Layout {
            title: title.into(),
            section: Some(section),
            now: self.now,
            may_write: self.login.may_write,
            is_unverified: self.gateway.router().iter().any(|endpoint| endpoint.unverified.is_some()),
            queue: self.gateway.queue().map(|queue| QueueView::new(&queue, self.now)),
            search: String::new(),
        }
    }

    pub(super) fn relative_time(&self, at: impl Into<Option<Timestamp>>) -> RelativeTime {
        RelativeTime::new(at, self.now)
    }

    /// CSRF token for a form. `None` for read-only access, which gets no forms.
    pub(super) fn csrf_token(&self) -> Option<String> {
        self.login.may_write.then(|| csrf::token(&self.gateway.ops_token(), self.now))
    }

    /// Allows a change submitted with this CSRF token. A bearer token, which browsers never add by themselves, needs none.
    pub(super) fn may_submit(&self, csrf_token: &str) -> bool {
        self.login.may_write && (!self.login.by_browser || csrf::verify(&self.gateway.ops_token(), self.now, csrf_token))
    }

    /// The author of a change.
    pub(super) fn author(&self) -> Author {
        self.gateway.author(if self.login.by_browser { Actor::Page } else { Actor::Ops })
    }

    /// Runs a query.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        class: Class,
        query: impl FnOnce(&Gateway) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ErrorPage> {
        query::run(&self.gateway, class, query).await.map_err(|error| match error {
            QueryError::TooMany => self.error(PageError::TooManyQueries),
            QueryError::TimedOut => self.error(PageError::QueryTimeout),
            QueryError::Unavailable => self.error(PageError::Unavailable),
        })
    }

    /// Queries the store for a list, or for one message or request.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ErrorPage> {
        self.run(Class::List, move |gateway| query(&gateway.store)).await
    }

    pub(super) fn error(&self, error: PageError) -> ErrorPage {
        ErrorPage::new(error, self.layout(Section::Overview, error.title()))
    }

    pub(super) fn render(&self, page: &impl Template) -> Result<HttpResponse, ErrorPage> {
        render(StatusCode::OK, page).ok_or_else(|| self.error(PageError::Internal))
    }
}
