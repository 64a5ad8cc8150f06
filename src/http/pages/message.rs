//! The page of one message: its status, details, and timeline of events.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{
    components::{Badge, Markup, RelativeTime, Severity, endpoint_name},
    context::Context,
    error_page::{ErrorPage, PageError},
    layout::{Layout, Section},
};
use crate::{
    event::Engagement,
    explain::{ErrorExplanation, Explanation, TimelineEntry},
    store::{EngagementCounts, Message, Recipient, ReportScope},
};

#[derive(Template)]
#[template(path = "message.html")]
struct Page {
    layout: Layout,
    external_id: String,
    endpoint: String,
    status: Badge,
    is_unverified: bool,
    summary: Markup,
    matching: Markup,
    warnings: Vec<Markup>,
    error: Option<ErrorExplanation>,
    recipients: Vec<RecipientRow>,
    details: Vec<(&'static str, String)>,
    times: Vec<(&'static str, RelativeTime)>,
    timeline: Vec<TimelineEvent>,
}

struct TimelineEvent {
    severity: Severity,
    received: RelativeTime,
    clock: String,
    event_type: String,
    status: Option<Badge>,
    is_late: bool,
    /// The provider's status, error code and evidence.
    provider_details: String,
    explanation: Markup,
    /// The link, address and user agent of an open or a click.
    client: Vec<(&'static str, String)>,
    request: Option<RequestLink>,
    other_fields: Option<String>,
}

/// The request that carried an event.
struct RequestLink {
    id: i64,
    verified_by: String,
    has_body: bool,
    attempts: i64,
}

impl TimelineEvent {
    fn new(entry: &TimelineEntry, context: &Context) -> Self {
        let provider_details: Vec<String> = [
            entry.provider_status.as_ref().or(entry.provider_type.as_ref()).map(|word| format!("“{word}”")),
            entry.error_code.as_ref().map(|code| format!("error {code}")),
            entry.evidence.as_ref().map(|evidence| format!("evidence: {evidence}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let has_other_fields = !entry.detail.0.is_null() && entry.detail.0.as_object().is_none_or(|fields| !fields.is_empty());
        Self {
            // Only events that changed the status are coloured.
            severity: entry.status.as_deref().filter(|_| entry.moved).map_or(Severity::Neutral, Severity::of_status),
            received: context.relative_time(entry.received_at),
            clock: entry.received_at.naive().format("%e %b, %H:%M:%S%.3f").to_string(),
            event_type: entry.event_type.clone(),
            status: entry.status.as_deref().map(Badge::status),
            is_late: entry.late,
            provider_details: provider_details.join(" · "),
            explanation: Markup::new(&entry.sentence),
            client: entry.engagement.as_ref().map(client).unwrap_or_default(),
            request: entry.request.as_ref().map(|request| RequestLink {
                id: request.id,
                verified_by: request.verified_by.clone(),
                has_body: request.has_body,
                attempts: request.duplicate_count + 1,
            }),
            other_fields: has_other_fields.then(|| serde_json::to_string_pretty(&entry.detail).unwrap_or_default()),
        }
    }
}

/// One of several recipients.
struct RecipientRow {
    address: String,
    status: Badge,
    is_shared: bool,
    /// The category of the error, and the mail system's response.
    details: String,
}

impl From<Recipient> for RecipientRow {
    fn from(recipient: Recipient) -> Self {
        let category = recipient.error_category.map(|category| category.replace('_', " "));
        let details: Vec<String> = [category, recipient.diagnostic].into_iter().flatten().collect();
        Self {
            status: Badge::status(&recipient.status),
            is_shared: recipient.reported_for == ReportScope::Message,
            details: details.join(" · "),
            address: recipient.address,
        }
    }
}

fn client(engagement: &Engagement) -> Vec<(&'static str, String)> {
    let Engagement { link, ip_address, user_agent, .. } = engagement;
    let all = [("Link", link), ("Address", ip_address), ("User agent", user_agent)];
    all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

fn details(message: &Message, reference: Option<String>, engagement: EngagementCounts) -> Vec<(&'static str, String)> {
    let price = message.price.as_ref().map(|price| match &message.price_currency {
        Some(currency) => format!("{price} {currency}"),
        None => price.clone(),
    });
    let counted = |count: i64, by_machines: u64| match (count, by_machines) {
        (..1, _) => None,
        (count, 0) => Some(count.to_string()),
        (count, by_machines) => Some(format!("{count} ({by_machines} by machines)")),
    };
    let all = [
        ("Recipient", message.recipient.clone()),
        ("Sender", message.sender.clone()),
        ("Channel", message.channel.clone()),
        ("Message ID", message.message_id.map(|id| id.to_string())),
        ("Reference", reference),
        ("Embedded ID", message.embedded_id.clone()),
        ("Evidence", message.evidence.clone()),
        ("Provider status", message.provider_status.clone()),
        ("Opens", counted(message.open_count, engagement.machine_opens)),
        ("Clicks", counted(message.click_count, engagement.machine_clicks)),
        ("Parts", message.parts_total.map(|parts| parts.to_string())),
        ("Price", price),
        ("Verified by", message.verified_by.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn times(message: &Message, context: &Context) -> Vec<(&'static str, RelativeTime)> {
    let all = [
        ("Created", Some(message.created_at)),
        ("Status changed", message.status_at),
        ("Delivered", message.delivered_at),
        ("Failed", message.failed_at),
        ("Read", message.read_at),
        ("First opened", message.opened_at),
        ("First clicked", message.clicked_at),
        ("Marked as spam", message.complained_at),
        ("Unsubscribed", message.unsubscribed_at),
    ];
    all.into_iter().filter_map(|(name, at)| Some((name, context.relative_time(at?)))).collect()
}

pub(super) async fn show(context: Context, id: web::Path<String>) -> Result<HttpResponse, ErrorPage> {
    let not_found = || context.error(PageError::NotFound);
    let id: i64 = id.parse().map_err(|_| not_found())?;
    let history = context.query(move |store| store.history(id)).await?.ok_or_else(not_found)?;
    let Explanation { message, reference, summary, matching, error, recipients, engagement, warnings, timeline } = history.into();
    let recipients = Some(recipients).filter(|recipients| recipients.len() > 1).unwrap_or_default();
    let page = Page {
        layout: context.layout(Section::Messages, format!("Message {}", message.external_id)),
        endpoint: endpoint_name(&message.service_type, &message.account),
        status: Badge::status(&message.status),
        is_unverified: message.verified_by.as_deref() == Some("none"),
        summary: Markup::new(&summary),
        matching: Markup::new(&matching),
        warnings: warnings.iter().map(|warning| Markup::new(warning)).collect(),
        error,
        recipients: recipients.into_iter().map(RecipientRow::from).collect(),
        details: details(&message, reference, engagement),
        times: times(&message, &context),
        timeline: timeline.iter().map(|entry| TimelineEvent::new(entry, &context)).collect(),
        external_id: message.external_id,
    };
    context.render(&page)
}
