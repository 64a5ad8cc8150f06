//! `waybill explain`: the history of one message, explained.

use clap::Args;

use super::{CommandError, load_config, print, print_json, with_store};
use crate::{
    config::Env,
    event::Engagement,
    explain::{Explanation, TimelineEntry},
    store::{Recipient, ReportScope},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The provider's id of the message.
    external_id: String,
    /// Print JSON: a list, because several messages may have the same id.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(env: &Env, arguments: &Arguments) -> Result<(), CommandError> {
    let config = load_config(env)?;
    let histories = with_store(&config, |store| Ok(store.histories(&arguments.external_id)?))?;
    if histories.is_empty() {
        return Err(CommandError::Other("no message has that external id".to_owned()));
    }
    let explanations: Vec<Explanation> = histories.into_iter().map(Explanation::from).collect();
    if arguments.json {
        return print_json(&explanations);
    }
    explanations.iter().for_each(show);
    Ok(())
}

fn show(explanation: &Explanation) {
    let Explanation { message, summary, matching, error, warnings, timeline, recipients, .. } = explanation;
    let to = message.recipient.as_deref().map(|recipient| format!(" to {recipient}")).unwrap_or_default();
    print(format_args!("{}/{} {}{to}", message.service_type, message.account, message.external_id));
    print(format_args!("  {summary}"));
    print(format_args!("  {matching}"));
    if let Some(error) = error {
        let code = error.code.as_deref().unwrap_or("no code");
        let message = error.message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default();
        print(format_args!("  Error {code}{message}: {}. {}", error.meaning, error.next));
    }
    for warning in warnings {
        print(format_args!("  Note: {warning}"));
    }
    if recipients.len() > 1 {
        recipients.iter().for_each(show_recipient);
    }
    timeline.iter().for_each(show_event);
    print("");
}

fn show_recipient(recipient: &Recipient) {
    let scope = match recipient.reported_for {
        ReportScope::Recipient => "",
        ReportScope::Message => " (not reported per recipient)",
    };
    let category = recipient.error_category.as_deref().map(|category| format!(", {category}")).unwrap_or_default();
    print(format_args!("  To {}: {}{category}{scope}", recipient.address, recipient.status));
    if let Some(diagnostic) = &recipient.diagnostic {
        print(format_args!("    Response: {diagnostic}"));
    }
}

fn show_event(entry: &TimelineEntry) {
    let details = [entry.provider_type.as_deref(), entry.provider_status.as_deref(), entry.error_code.as_deref()];
    let mut details: Vec<&str> = details.into_iter().flatten().collect();
    details.dedup();
    print(format_args!("  {}  {}  [{}]", entry.received_at, entry.event_type, details.join(", ")));
    print(format_args!("    {}", entry.sentence));
    if let Some(Engagement { link, ip_address, user_agent, .. }) = &entry.engagement {
        let client = [("Link", link), ("Address", ip_address), ("User agent", user_agent)];
        let client = client.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_deref()?)));
        client.for_each(|line| print(format_args!("    {line}")));
    }
    if let Some(request) = &entry.request {
        print(format_args!(
            "    Request {}{}.",
            request.id,
            if request.has_body { " with its body" } else { "; its body has expired" }
        ));
    }
}
