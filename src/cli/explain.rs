//! `waybill explain`: the whole story of one message.

use clap::Args;

use super::{CommandError, attached, print_json, say};
use crate::{
    config::Config,
    explain::{Entry, Explanation},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The provider's id of the message.
    external_id: String,
    /// Print it as JSON: a list, for providers and recipients may share an id.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<(), CommandError> {
    let stories = attached(&config.database, config.store, |store| Ok(store.stories(&arguments.external_id)?))?;
    if stories.is_empty() {
        return Err(CommandError::Other("no message has that external id".to_owned()));
    }
    let explanations: Vec<Explanation> = stories.into_iter().map(Explanation::from).collect();
    if arguments.json {
        return print_json(&explanations);
    }
    explanations.iter().for_each(show);
    Ok(())
}

fn show(explanation: &Explanation) {
    let Explanation { message, summary, matching, error, warnings, timeline, .. } = explanation;
    let to = message.recipient.as_deref().map(|recipient| format!(" to {recipient}")).unwrap_or_default();
    say(format_args!("{}/{} {}{to}", message.service_type, message.account, message.external_id));
    say(format_args!("  {summary}"));
    say(format_args!("  {matching}"));
    if let Some(error) = error {
        let code = error.code.as_deref().unwrap_or("no code");
        let words = error.message.as_deref().map(|words| format!(" ({words})")).unwrap_or_default();
        say(format_args!("  Error {code}{words}: {}. {}", error.meaning, error.next));
    }
    for warning in warnings {
        say(format_args!("  Note: {warning}"));
    }
    timeline.iter().for_each(tell);
    say("");
}

fn tell(entry: &Entry) {
    let said = [entry.provider_type.as_deref(), entry.provider_status.as_deref(), entry.error_code.as_deref()];
    let mut said: Vec<&str> = said.into_iter().flatten().collect();
    said.dedup();
    say(format_args!("  {}  {}  [{}]", entry.received_at, entry.event_type, said.join(", ")));
    say(format_args!("    {}", entry.sentence));
    if let Some(request) = &entry.request {
        say(format_args!(
            "    Request {}{}.",
            request.id,
            if request.has_body { ", whose body is kept" } else { ", whose body has expired" }
        ));
    }
}
