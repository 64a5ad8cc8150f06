//! What is said when a page cannot be shown: what happened, and what to do.

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use askama::Template;

use super::{frame::Frame, visit};
use crate::{
    http::answer,
    time::{Clock, Timestamp},
};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    NotLoggedIn,
    NotFound,
    Query,
    ReadOnly,
    OtherSite,
    OldForm,
    Unavailable,
    Broken,
}

impl Trouble {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::NotLoggedIn => "Please log in",
            Self::NotFound => "Not here",
            Self::Query => "This question cannot be read",
            Self::ReadOnly => "This login may read only",
            Self::OtherSite => "This form did not come from here",
            Self::OldForm => "This form is too old",
            Self::Unavailable => "The database does not answer",
            Self::Broken => "This page cannot be shown",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::NotLoggedIn => {
                "Any user name, and as the password the ops token: OPS_TOKEN, or the file waybill.ops-token beside the database."
            }
            Self::NotFound => "There is nothing under this address. It may have been removed after its time of retention.",
            Self::Query => "A filter has a value that does not exist. Go back and choose another one.",
            Self::ReadOnly => {
                "OPS_READ_TOKEN shows everything and changes nothing. Log in with the ops token to change something."
            }
            Self::OtherSite => {
                "The browser did not say that the form was sent from this very page. It does so over HTTPS, and over HTTP on localhost and 127.0.0.1 only."
            }
            Self::OldForm => "A form is good for its day and the next. Go back, load the page again and repeat what you did.",
            Self::Unavailable => "Callbacks that come now are answered 503 and come again. Load this page again in a moment.",
            Self::Broken => "This is a defect of Waybill; the log has more.",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Query => StatusCode::BAD_REQUEST,
            Self::ReadOnly | Self::OtherSite | Self::OldForm => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A page that says what is wrong.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(super) struct Problem {
    trouble: Trouble,
    frame: Frame,
    sentence: &'static str,
}

impl Problem {
    pub(super) fn new(trouble: Trouble, frame: Frame) -> Self {
        Self { trouble, frame: Frame { section: None, ..frame }, sentence: trouble.sentence() }
    }

    pub(super) fn is(&self, trouble: Trouble) -> bool {
        self.trouble == trouble
    }

    /// For who is not logged in: it shows nothing of the gateway.
    pub(super) fn bare() -> Self {
        let trouble = Trouble::NotLoggedIn;
        let now: Timestamp = Clock::System.now();
        let title = trouble.title().to_owned();
        let frame = Frame { title, section: None, now, may_write: true, is_unverified: false, sought: String::new() };
        Self::new(trouble, frame)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.trouble.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = visit::render(self.status_code(), self).unwrap_or_else(answer::unavailable);
        if self.trouble == Trouble::NotLoggedIn {
            let challenge = header::HeaderValue::from_static(r#"Basic realm="waybill", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
