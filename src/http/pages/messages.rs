//! The messages: a list with filters, and one field that finds a message by whatever of it one has in hand.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use strum::{AsRefStr, EnumMessage, EnumString, VariantArray};

use super::{
    frame::{Frame, Section},
    part::{Badge, Moment, endpoint},
    problem::{Problem, Trouble},
    query::{Filters, LIMIT},
    visit::Visit,
};
use crate::{
    address, providers,
    status::Status,
    store::{Message, MessageFilter, Page, Store, StoreError},
};

/// What a message was found by, in the order in which it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, EnumMessage, VariantArray)]
#[strum(serialize_all = "kebab-case")]
enum By {
    #[strum(message = "the provider’s id")]
    ExternalId,
    #[strum(message = "the application’s id")]
    MessageId,
    #[strum(message = "reference")]
    Reference,
    #[strum(message = "recipient")]
    Recipient,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct List {
    frame: Frame,
    asked: Filters,
    found_by: Option<&'static str>,
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
        let error: Vec<String> = [message.error_category, message.error_code].into_iter().flatten().collect();
        Self {
            id: message.id,
            endpoint: endpoint(&message.service_type, &message.account),
            external_id: message.external_id,
            provider_status: message.provider_status.filter(|word| *word != message.status),
            status: Badge::status(&message.status),
            error: Some(error.join(" ").replace('_', " ")).filter(|error| !error.is_empty()),
            recipient: message.recipient,
            message_id: message.message_id,
            is_unverified: message.verified_by.as_deref() == Some("none"),
            at: visit.moment(message.status_at.unwrap_or(message.created_at)),
        }
    }
}

impl List {
    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn providers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::ALL.into_iter().map(|spec| (spec.name, spec.title))
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn statuses(&self) -> impl Iterator<Item = &'static str> {
        Status::VARIANTS.iter().map(Into::into)
    }

    fn is_filtered(&self) -> bool {
        let Filters { q, provider, account, status, .. } = &self.asked;
        [q, provider, account, status].into_iter().any(|text| !text.is_empty())
    }
}

pub(super) async fn list(visit: Visit, query: Result<Query<Filters>, Error>) -> Result<HttpResponse, Problem> {
    let unread = || visit.problem(Trouble::Query);
    let asked = query.ok().and_then(|query| query.into_inner().tidy()).ok_or_else(unread)?;
    let filter = filter(&asked).map_err(|()| unread())?;
    let by = if asked.by.is_empty() { None } else { Some(asked.by.parse().map_err(|_| unread())?) };
    let sought = asked.q.clone();
    let (found_by, page) = visit.ask(move |store| find(store, &filter, &sought, by)).await?;
    let older = page.next_cursor.map(|cursor| {
        let by = found_by.map(|by| by.as_ref().to_owned()).unwrap_or_default();
        let Filters { q, provider, account, status, .. } = &asked;
        let filters = [("q", q), ("by", &by), ("provider", provider), ("account", account), ("status", status)];
        let cursor = cursor.to_string();
        Section::Messages.with(&[&filters.map(|(name, value)| (name, value.as_str()))[..], &[("cursor", &cursor)]].concat())
    });
    let rows = page.items.into_iter().map(|message| Row::new(message, &visit)).collect();
    let frame = Frame { sought: asked.q.clone(), ..visit.frame(Section::Messages, "Messages") };
    visit.show(&List { frame, asked, found_by: found_by.and_then(|by| by.get_message()), rows, older })
}

fn filter(asked: &Filters) -> Result<MessageFilter, ()> {
    Ok(MessageFilter {
        service_type: asked.service_type()?,
        account: asked.account(),
        status: asked.status()?,
        cursor: asked.cursor()?,
        limit: LIMIT,
        ..MessageFilter::default()
    })
}

/// The page of messages that the text names, in the first of the ways in which it names any.
fn find(store: &Store, filter: &MessageFilter, sought: &str, by: Option<By>) -> Result<(Option<By>, Page<Message>), StoreError> {
    if sought.is_empty() {
        return Ok((None, store.messages(filter)?));
    }
    let mut found = Page { items: Vec::new(), next_cursor: None };
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
        if !found.items.is_empty() {
            return Ok((Some(way), found));
        }
    }
    Ok((None, found))
}
