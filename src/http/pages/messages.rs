//! The messages: a list with filters, and one field that finds a message by whatever of it one has in hand.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde::{Deserialize, Serialize};
use strum::{AsRefStr, VariantArray};

use super::{
    frame::{Frame, Section},
    part::{Badge, Moment},
    problem::{Problem, Trouble},
    visit::Visit,
};
use crate::{
    address, providers,
    status::Status,
    store::{Message, MessageFilter, Page, Store, StoreError},
};

/// Rows on a page.
const LIMIT: i64 = 50;

/// The longest text that is searched for.
const MAX_TEXT: usize = 255;

/// What a message was found by, in the order in which it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, VariantArray, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    #[strum(serialize = "the provider's id")]
    ExternalId,
    #[strum(serialize = "the application's id")]
    MessageId,
    #[strum(serialize = "reference")]
    Reference,
    #[strum(serialize = "recipient")]
    Recipient,
}

/// The query. A form sends what is left out as an empty text.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    #[serde(skip_serializing_if = "String::is_empty")]
    q: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(skip_serializing_if = "String::is_empty")]
    provider: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    account: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<i64>,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct List {
    frame: Frame,
    asked: Parameters,
    found_by: Option<By>,
    rows: Vec<Row>,
    older: Option<String>,
}

/// One message in a list.
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) external_id: String,
    pub(super) endpoint: String,
    pub(super) status: Badge,
    pub(super) provider_status: Option<String>,
    pub(super) error: Option<String>,
    pub(super) recipient: Option<String>,
    pub(super) message_id: Option<i64>,
    pub(super) is_unverified: bool,
    pub(super) at: Moment,
}

impl Row {
    pub(super) fn new(message: Message, visit: &Visit) -> Self {
        let error = [message.error_category, message.error_code].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Self {
            id: message.id,
            endpoint: endpoint(&message.service_type, &message.account),
            external_id: message.external_id,
            status: Badge::status(&message.status),
            provider_status: message.provider_status.filter(|word| *word != message.status),
            error: Some(error.replace('_', " ")).filter(|error| !error.is_empty()),
            recipient: message.recipient,
            message_id: message.message_id,
            is_unverified: message.verified_by.as_deref() == Some("none"),
            at: visit.moment(message.status_at.unwrap_or(message.created_at)),
        }
    }
}

/// A provider and its account in words; the unnamed account goes without saying.
pub(super) fn endpoint(service_type: &str, account: &str) -> String {
    let title = providers::find(service_type).map_or(service_type, |spec| spec.title);
    if account == "default" { title.to_owned() } else { format!("{title} / {account}") }
}

impl List {
    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn providers(&self) -> Vec<(&'static str, &'static str)> {
        providers::ALL.into_iter().map(|spec| (spec.name, spec.title)).collect()
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn statuses(&self) -> impl Iterator<Item = &'static str> {
        Status::VARIANTS.iter().map(Into::into)
    }

    fn is_filtered(&self) -> bool {
        let Parameters { q, provider, account, status, .. } = &self.asked;
        [q, provider, account, status].into_iter().any(|text| !text.is_empty())
    }
}

pub(super) async fn list(visit: Visit, query: Result<Query<Parameters>, Error>) -> Result<HttpResponse, Problem> {
    let mut asked = query.map_err(|_| visit.problem(Trouble::Query))?.into_inner();
    asked.q = asked.q.trim().to_owned();
    let filter = filter(&asked).ok_or_else(|| visit.problem(Trouble::Query))?;
    let (sought, by) = (asked.q.clone(), asked.by);
    let (found_by, page) = visit.ask(move |store| find(store, &filter, &sought, by)).await?;
    let older = page.next_cursor.and_then(|cursor| {
        let next = Parameters { cursor: Some(cursor), by: found_by, ..asked.clone() };
        Some(format!("/messages?{}", serde_urlencoded::to_string(next).ok()?))
    });
    let rows = page.messages.into_iter().map(|message| Row::new(message, &visit)).collect();
    let frame = Frame { sought: asked.q.clone(), ..visit.frame(Section::Messages, "Messages") };
    visit.show(&List { frame, asked, found_by, rows, older })
}

fn filter(asked: &Parameters) -> Option<MessageFilter> {
    let text = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let all = [&asked.q, &asked.provider, &asked.account, &asked.status];
    // No stored text holds a NUL, and Postgres refuses to be asked for one.
    let fits = all.into_iter().all(|text| text.len() <= MAX_TEXT && !text.contains('\0'));
    fits.then(|| MessageFilter {
        service_type: text(&asked.provider),
        account: text(&asked.account),
        status: text(&asked.status),
        cursor: asked.cursor,
        limit: LIMIT,
        ..MessageFilter::default()
    })
}

/// The page of messages that the text names in the first of the ways in which it names any.
fn find(store: &Store, filter: &MessageFilter, sought: &str, by: Option<By>) -> Result<(Option<By>, Page), StoreError> {
    if sought.is_empty() {
        return Ok((None, store.messages(filter)?));
    }
    let mut found = Page { messages: Vec::new(), next_cursor: None };
    for way in By::VARIANTS.iter().copied().filter(|way| by.is_none_or(|by| by == *way)) {
        let mut filter = filter.clone();
        match way {
            By::ExternalId => filter.external_id = Some(sought.to_owned()),
            By::Reference => filter.reference = Some(sought.to_owned()),
            By::Recipient if sought.contains('@') => filter.recipient = address::email(sought),
            By::Recipient => filter.recipient = address::international(sought),
            By::MessageId => match sought.parse() {
                Ok(id) => filter.message_id = Some(id),
                Err(_) => continue,
            },
        }
        found = store.messages(&filter)?;
        if !found.messages.is_empty() {
            return Ok((Some(way), found));
        }
    }
    Ok((None, found))
}
