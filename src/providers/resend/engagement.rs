//! Opens and clicks. An open has no details in Resend's documentation; some accounts get `data.open` with those of a click (get-convex/resend
//! `shared.ts`, read 2026-11-28).

use serde_json::Value;

use crate::{
    automation::{self, Action},
    event::{Engagement, Event, EventType},
    json::{self, text as word},
    text,
};

/// The longest link and user agent that are stored.
const MAX_LINK: usize = 2 << 10;
const MAX_USER_AGENT: usize = 512;

/// The client of an open or a click, as far as it is reported.
pub(super) fn engagement(payload: &Value, event: &Event) -> Option<Box<Engagement>> {
    let (action, place) = match event.event_type {
        EventType::MessageClicked => (Action::Click, "/data/click"),
        EventType::MessageOpened => (Action::Open, "/data/open"),
        _ => return None,
    };
    let details = json::at(payload, place).unwrap_or(&Value::Null);
    let user_agent = word(details, "/userAgent");
    let address = word(details, "/ipAddress").and_then(automation::client_address);
    let at_most = |text: &str, max| text::present(text::truncated(text, max));
    // The time of the report says too little about the time of a click.
    let hasty = || {
        let (at, created_at) = (json::instant(details, "/timestamp")?, json::instant(payload, "/data/created_at")?);
        automation::after_creation(at.micros().saturating_sub(created_at.micros())).filter(|_| action == Action::Click)
    };
    let engagement = Engagement {
        automation: automation::recognize(action, user_agent, address).or_else(hasty),
        ip_address: address.map(|address| address.to_string()),
        link: word(details, "/link").and_then(|link| at_most(link, MAX_LINK)),
        user_agent: user_agent.and_then(|user_agent| at_most(user_agent, MAX_USER_AGENT)),
    };
    (engagement != Engagement::default()).then(|| Box::new(engagement))
}
