//! The list of messages, with filters and a search by external ID, message ID, reference or recipient.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use strum::{AsRefStr, EnumMessage, EnumString, VariantArray};

use super::{
    components::{Badge, RelativeTime, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Section},
    query::{Filters, LIMIT},
};
use crate::{
    providers,
    status::Status,
    store::{Message, MessageFilter, Page, Store, StoreError},
};

/// The fields that a search tries, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, EnumString, EnumMessage, VariantArray)]
#[strum(serialize_all = "kebab-case")]
enum SearchField {
    #[strum(message = "external ID")]
    ExternalId,
    #[strum(message = "message ID")]
    MessageId,
    #[strum(message = "reference")]
    Reference,
    #[strum(message = "recipient")]
    Recipient,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct List {
    layout: Layout,
    filters: Filters,
    found_by: Option<&'static str>,
    rows: Vec<Row>,
    next_page: Option<String>,
}

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
    pub(super) updated: RelativeTime,
}

impl Row {
    pub(super) fn new(message: Message, context: &Context) -> Self {
        let error: Vec<String> = [message.error_category, message.error_code].into_iter().flatten().collect();
        Self {
            id: message.id,
            endpoint: endpoint_name(&message.service_type, &message.account),
            external_id: message.external_id,
            provider_status: message.provider_status.filter(|word| *word != message.status),
            status: Badge::status(&message.status),
            error: Some(error.join(" · ").replace('_', " ")).filter(|error| !error.is_empty()),
            recipient: message.recipient,
            message_id: message.message_id,
            is_unverified: message.verified_by.as_deref() == Some("none"),
            updated: context.relative_time(message.status_at.unwrap_or(message.created_at)),
        }
    }
}

impl List {
    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn providers(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        providers::ALL.iter().map(|spec| (spec.name, spec.title))
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn statuses(&self) -> impl Iterator<Item = &'static str> {
        Status::VARIANTS.iter().map(Into::into)
    }

    fn is_filtered(&self) -> bool {
        self.filters.is_any_set()
    }
}

pub(super) async fn list(context: Context, query: Result<Query<Filters>, Error>) -> Result<HttpResponse, ErrorPage> {
    let invalid = || context.error(PageError::InvalidFilter);
    let filters = query.ok().and_then(|query| query.into_inner().validated(context.now)).ok_or_else(invalid)?;
    let filter = message_filter(&filters).map_err(|()| invalid())?;
    let only = if filters.by.is_empty() { None } else { Some(filters.by.parse().map_err(|_| invalid())?) };
    let search_text = filters.q.clone();
    let (found_by, page) = context.query(move |store| search(store, &filter, &search_text, only)).await?;
    let next_page = page.next_cursor.map(|cursor| {
        let by = found_by.map(|field| field.as_ref().to_owned()).unwrap_or_default();
        Filters { by, ..filters.clone() }.href(Section::Messages, &cursor.to_string())
    });
    let rows = page.items.into_iter().map(|message| Row::new(message, &context)).collect();
    let layout = Layout { search: filters.q.clone(), ..context.layout(Section::Messages, "Messages") };
    context.render(&List { layout, filters, found_by: found_by.and_then(|field| field.get_message()), rows, next_page })
}

fn message_filter(filters: &Filters) -> Result<MessageFilter, ()> {
    let (since, until) = filters.range();
    Ok(MessageFilter {
        since,
        until,
        service_type: filters.service_type()?,
        account: filters.account(),
        status: filters.status()?,
        cursor: filters.cursor()?,
        limit: LIMIT,
        ..MessageFilter::default()
    })
}

/// Searches one field after the other and returns the first page with matches, and the field that matched.
fn search(
    store: &Store,
    filter: &MessageFilter,
    text: &str,
    only: Option<SearchField>,
) -> Result<(Option<SearchField>, Page<Message>), StoreError> {
    if text.is_empty() {
        return Ok((None, store.messages(filter)?));
    }
    let mut page = Page { items: Vec::new(), next_cursor: None };
    for field in SearchField::VARIANTS.iter().copied().filter(|field| only.is_none_or(|only| only == *field)) {
        let mut filter = filter.clone();
        match field {
            SearchField::ExternalId => filter.external_id = Some(text.to_owned()),
            SearchField::Reference => filter.reference = Some(text.to_owned()),
            SearchField::Recipient => filter.recipient = Some(text.to_owned()),
            SearchField::MessageId => match text.parse() {
                Ok(id) => filter.message_id = Some(id),
                Err(_) => continue,
            },
        }
        page = store.messages(&filter)?;
        // An empty page that has a next one may still lead to matches.
        if !page.items.is_empty() || page.next_cursor.is_some() {
            return Ok((Some(field), page));
        }
    }
    Ok((None, page))
}
