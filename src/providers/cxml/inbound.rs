//! Inbound messages: SMS, MMS, WhatsApp, RCS, Messenger.

use super::{kind::IDS, message};
use crate::{
    event::{Effect, Event, EventType, Inbound, MAX_MEDIA, Media},
    form::Form,
    provider::{self, ParseError},
    status::{Channel, Direction},
};

/// The parsed fields; each may have one value.
const SCALARS: [&str; 10] =
    ["MessageSid", "SmsSid", "SmsMessageSid", "MessageStatus", "SmsStatus", "From", "To", "Body", "NumSegments", "OptOutType"];

/// Parses an inbound message. `ErrorCode` and `ErrorUrl`, which the call of a fallback URL adds, refer to the primary URL.
pub(super) fn parse(form: &Form<'_>) -> Result<Event, ParseError> {
    provider::reject_ambiguous(form, &SCALARS)?;
    let id = IDS.iter().find_map(|name| form.text(name));
    let id = id.ok_or(ParseError::Invalid("an inbound message without MessageSid, SmsSid or SmsMessageSid"))?;
    let media = media(form)?;
    let mut event = Event::informational(EventType::MessageReceived, "IncomingMessage");
    event.external_id = Some(message::external_id(&id)?);
    event.provider_status = form.owned("SmsStatus").or_else(|| form.owned("MessageStatus"));
    event.facts = message::facts(&id, form.text("From").as_deref(), form.text("To").as_deref(), Direction::Inbound);
    if !media.is_empty() && event.facts.channel == Some(Channel::Sms) {
        event.facts.channel = Some(Channel::Mms);
    }
    event.effect = Effect::Inbound(Box::new(Inbound {
        text: form.owned("Body"),
        media,
        parts: form.text("NumSegments").and_then(|number| number.parse().ok()).filter(|number| *number > 0),
        opt_out: form.text("OptOutType").and_then(|word| word.parse().ok()),
        ..Inbound::default()
    }));
    Ok(event)
}

/// `MediaUrl0`, `MediaContentType0`, and so on.
fn media(form: &Form<'_>) -> Result<Vec<Media>, ParseError> {
    let mut media = Vec::new();
    for number in 0..MAX_MEDIA {
        let (url, content_type) = (format!("MediaUrl{number}"), format!("MediaContentType{number}"));
        if form.is_ambiguous(&url) || form.is_ambiguous(&content_type) {
            return Err(ParseError::Ambiguous("MediaUrl or MediaContentType"));
        }
        let Some(url) = form.owned(&url) else { break };
        media.push(Media { url: Some(url), content_type: form.owned(&content_type), ..Media::default() });
    }
    Ok(media)
}
