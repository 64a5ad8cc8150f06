//! The page shown in place of one that cannot be shown: what is wrong, and what to do.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use askama::Template;

use super::layout::{Layout, render};
use crate::{
    http::response,
    time::{Clock, Timestamp},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageError {
    Unauthorized,
    TooManyGuesses,
    NotFound,
    InvalidFilter,
    ReadOnly,
    CrossSite,
    FormExpired,
    TooManyQueries,
    QueryTimeout,
    Unavailable,
    WithoutDatabase,
    Internal,
}

impl PageError {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Unauthorized => "Log in",
            Self::TooManyGuesses => "Too many attempts",
            Self::NotFound => "Page not found",
            Self::InvalidFilter => "Invalid filter",
            Self::ReadOnly => "Read-only access",
            Self::CrossSite => "Cross-site request blocked",
            Self::FormExpired => "Form expired",
            Self::TooManyQueries => "Too many queries",
            Self::QueryTimeout => "Query too slow",
            Self::Unavailable => "Database unavailable",
            Self::WithoutDatabase => "No database here",
            Self::Internal => "Internal error",
        }
    }

    /// `is_accepting` is true if callbacks are accepted without the database.
    fn explanation(self, is_accepting: bool) -> &'static str {
        match self {
            Self::Unavailable if is_accepting => {
                "Callbacks that arrive now are acknowledged, and written to the tables once the database is available. Reload this page in a moment."
            }
            Self::Unauthorized => {
                "Enter any user name, and the ops token as the password. The token is the value of OPS_TOKEN or the content of the file waybill.ops-token beside the database."
            }
            Self::TooManyGuesses => "Too many wrong tokens were sent from your network. Wait a minute, and reload this page.",
            Self::NotFound => "There is nothing at this address. The record may have been deleted after its retention period.",
            Self::InvalidFilter => "A filter has an unknown value. Go back and choose another one.",
            Self::ReadOnly => {
                "You are logged in with OPS_READ_TOKEN, which cannot change anything. To make changes, log in with the ops token."
            }
            Self::CrossSite => {
                "The browser did not confirm that the form was submitted from this site. Browsers do so over HTTPS, and over HTTP only on localhost and 127.0.0.1."
            }
            Self::FormExpired => {
                "A form is valid on the day it was loaded and on the next. Go back, reload the page and submit the form again."
            }
            Self::TooManyQueries => {
                "Other queries take all the room that the gateway reserves for pages and the API. Callbacks are not affected. Reload this page in a moment."
            }
            Self::QueryTimeout => "The database took too long to answer. Callbacks are not affected. Choose a shorter period.",
            Self::Unavailable => {
                "Callbacks that arrive now are answered with 503, and providers retry them. Reload this page in a moment."
            }
            Self::WithoutDatabase => {
                "This process has the role `gateway`: it receives callbacks and passes them to the queue. The pages are at the operations listener of a process with the role `writer`."
            }
            Self::Internal => "This is a bug in Waybill. The log has details.",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooManyGuesses => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::InvalidFilter => StatusCode::BAD_REQUEST,
            Self::ReadOnly | Self::CrossSite | Self::FormExpired => StatusCode::FORBIDDEN,
            Self::TooManyQueries | Self::QueryTimeout | Self::Unavailable | Self::WithoutDatabase => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    error: PageError,
    layout: Box<Layout>,
    explanation: &'static str,
}

impl ErrorPage {
    pub(super) fn new(error: PageError, layout: Layout) -> Self {
        let explanation = error.explanation(layout.queue.as_ref().is_some_and(|queue| queue.accepts));
        Self { error, layout: Box::new(Layout { section: None, ..layout }), explanation }
    }

    pub(super) fn is(&self, error: PageError) -> bool {
        self.error == error
    }

    /// For clients that are not logged in: shows nothing about this gateway.
    pub(super) fn unauthorized() -> Self {
        Self::anonymous(PageError::Unauthorized)
    }

    pub(super) fn too_many_guesses() -> Self {
        Self::anonymous(PageError::TooManyGuesses)
    }

    pub(super) fn without_database() -> Self {
        Self::anonymous(PageError::WithoutDatabase)
    }

    fn anonymous(error: PageError) -> Self {
        let now: Timestamp = Clock::System.now();
        let title = error.title().to_owned();
        let layout =
            Layout { title, section: None, now, may_write: true, is_unverified: false, queue: None, search: String::new() };
        Self::new(error, layout)
    }
}

impl ResponseError for ErrorPage {
    fn status_code(&self) -> StatusCode {
        self.error.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = render(self.status_code(), self).unwrap_or_else(response::unavailable);
        if self.error == PageError::Unauthorized {
            let challenge = header::HeaderValue::from_static(r#"Basic realm="waybill", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.error == PageError::TooManyGuesses {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        response
    }
}
