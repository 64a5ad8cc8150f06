//! The list of suppressions.

use actix_web::{Error, HttpResponse, web::Query};
use strum::VariantArray;

use super::{
    components::{Badge, Severity, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    filter_form::{Field, FilterForm},
    layout::{Link, Section},
    query::{Filters, LIMIT},
    tables::{Cell, Table, Texts},
};
use crate::{
    status::Channel,
    store::{Report, Suppression, SuppressionFilter, SuppressionPage, SuppressionReason, SuppressionState},
};

const TEXTS: Texts = Texts {
    description: "Recipients to whom no message should be sent, newest first.",
    columns: &["Recipient", "Reason", "Channel", "Your sender", "Report", "Provider", "Since", "Source"],
    empty_title: "No suppressions",
    empty_hint: "Recipients appear here when they opt out, unsubscribe or complain, when a number or address does not exist, or when \
        the provider suppresses it.",
};

pub(super) async fn list(context: Context, query: Result<Query<Filters>, Error>) -> Result<HttpResponse, ErrorPage> {
    let invalid = || context.error(PageError::InvalidFilter);
    let filters = query.ok().and_then(|query| query.into_inner().validated(context.now)).ok_or_else(invalid)?;
    let filter = suppression_filter(&filters).map_err(|()| invalid())?;
    let state = filter.state;
    // A failure leaves them to the background, and the page says how many events are missing.
    drop(context.gateway.store.derive_suppressions().await);
    let SuppressionPage { page, unindexed } = context.query(move |store| store.suppressions(&filter)).await?;
    let mut form = FilterForm::new(Section::Suppressions, fields(&filters), filters);
    form.hidden = vec![("state", state.as_ref().to_owned())];
    let choices = SuppressionState::VARIANTS.iter().map(|one| Link {
        href: Filters { state: one.as_ref().to_owned(), ..form.filters.clone() }.href(Section::Suppressions, ""),
        label: match one {
            SuppressionState::Active => "Active",
            SuppressionState::Lifted => "Lifted",
            SuppressionState::All => "All",
        }
        .to_owned(),
        is_current: *one == state,
    });
    let choices = choices.collect();
    let note = (unindexed > 0).then(|| format!("{unindexed} newer events and inbound messages may not be covered yet."));
    let table = Table::new(&context, Section::Suppressions, TEXTS, form, page, |row| suppression_row(&row, &context));
    context.render(&Table { choices, note, ..table })
}

fn suppression_filter(filters: &Filters) -> Result<SuppressionFilter, ()> {
    let (since, until) = filters.range();
    Ok(SuppressionFilter {
        service_type: filters.service_type()?,
        account: filters.account(),
        address: filters.address(),
        channel: filters.channel()?,
        reason: filters.reason()?,
        state: filters.state()?.unwrap_or_default(),
        since,
        until,
        cursor: filters.cursor()?,
        limit: LIMIT,
    })
}

fn fields(filters: &Filters) -> Vec<Field> {
    vec![
        Field::search("Number or address", &filters.q),
        Field::words("Reason", "reason", &filters.reason, SuppressionReason::VARIANTS.iter().map(Into::into).collect()),
        Field::words("Channel", "channel", &filters.channel, Channel::VARIANTS.iter().map(Into::into).collect()),
    ]
}

fn suppression_row(row: &Suppression, context: &Context) -> Vec<Cell> {
    let severity = if row.is_active { Severity::Failure } else { Severity::Neutral };
    let reason = row.reason.replace('_', " ");
    let label = if row.is_active { reason } else { format!("{reason}, lifted") };
    let newest = row.reports.last();
    vec![
        Cell::Id(row.address.clone()),
        Cell::Badge(Badge::new(severity, label)),
        row.channel.clone().into(),
        row.sender.clone().into(),
        newest.map_or(Cell::Empty, explanation),
        Cell::Text(endpoint_name(&row.service_type, &row.account)),
        Cell::Time(context.relative_time(row.active_since.or(row.lifted_at))),
        newest.map_or(Cell::Empty, |report| source(report, &row.address)),
    ]
}

/// The provider's words, or its code or name of the event.
fn explanation(report: &Report) -> Cell {
    let texts: Vec<&str> = [&report.words, &report.code].into_iter().flatten().map(String::as_str).collect();
    match (texts.is_empty(), &report.provider_type) {
        (false, _) => Cell::Long(texts.join(" · ")),
        (true, Some(provider_type)) => Cell::Text(provider_type.clone()),
        (true, None) => Cell::Empty,
    }
}

/// The message, inbound message or request from which the report comes.
fn source(report: &Report, address: &str) -> Cell {
    let link = |href: String, label: &str| Cell::Link(Link { href, label: label.to_owned(), is_current: false });
    match (report.inbound, report.message, report.request) {
        (Some(_), ..) => link(Section::Inbound.with_query(&[("q", address)]), "Inbound message"),
        (None, Some(id), _) => link(format!("/messages/{id}"), "Message"),
        (None, None, Some(id)) => link(format!("/requests/{id}"), "Request"),
        (None, None, None) => Cell::Empty,
    }
}
