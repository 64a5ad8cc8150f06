//! Reusable parts of pages: status badges, relative times, inline markup.

use askama::{Template, filters::HtmlSafe};
use strum::AsRefStr;

use crate::{providers, status::Status, time::Timestamp};

/// Severity of a status, which decides the colour and shape of its badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Severity {
    Success,
    Pending,
    /// Delayed, canceled or unconfirmed.
    Warning,
    Failure,
    /// Unknown or irrelevant.
    Neutral,
}

impl Severity {
    pub(super) fn of_status(status: &str) -> Self {
        match status.parse() {
            Ok(Status::Delivered) => Self::Success,
            Ok(Status::Scheduled | Status::Accepted | Status::Queued | Status::Sending | Status::Sent) => Self::Pending,
            Ok(Status::Deferred | Status::Unconfirmed | Status::Canceled) => Self::Warning,
            Ok(status) if status.is_failure() => Self::Failure,
            _ => Self::Neutral,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "components/badge.html")]
pub(super) struct Badge {
    pub(super) severity: Severity,
    pub(super) label: String,
}

/// The template escapes the label.
impl HtmlSafe for Badge {}

impl Badge {
    pub(super) fn new(severity: Severity, label: impl Into<String>) -> Self {
        Self { severity, label: label.into() }
    }

    pub(super) fn status(status: &str) -> Self {
        Self::new(Severity::of_status(status), status)
    }
}

/// An optional time, shown relative to now, with the absolute time as its tooltip.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "components/relative_time.html")]
pub(super) struct RelativeTime {
    at: Option<Timestamp>,
    now: Timestamp,
}

impl HtmlSafe for RelativeTime {}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl RelativeTime {
    pub(super) fn new(at: impl Into<Option<Timestamp>>, now: Timestamp) -> Self {
        Self { at: at.into(), now }
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn absolute(&self, at: &Timestamp) -> String {
        at.naive().format("%a %e %b %Y, %H:%M:%S%.3f UTC").to_string()
    }

    fn relative(&self, at: &Timestamp) -> String {
        let seconds = self.now.seconds() - at.seconds();
        let amount = match seconds.abs() {
            0..5 => return "now".to_owned(),
            length @ 5..MINUTE => format!("{length} s"),
            length @ MINUTE..HOUR => format!("{} min", length / MINUTE),
            length @ HOUR..DAY => format!("{} h", length / HOUR),
            length if length < 7 * DAY => format!("{} d", length / DAY),
            _ => return at.naive().format("%e %b %Y").to_string().trim().to_owned(),
        };
        if seconds > 0 { format!("{amount} ago") } else { format!("in {amount}") }
    }
}

/// Text with two elements of Markdown: code between backticks, and bold (labels to click) between asterisks.
#[derive(Clone, Debug, Template)]
#[template(path = "components/markup.html")]
pub(super) struct Markup(Vec<Segment>);

impl HtmlSafe for Markup {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Bold(String),
    Code(String),
}

impl Markup {
    pub(super) fn new(text: &str) -> Self {
        let every_other = || [false, true].into_iter().cycle();
        let plain = |text: &str| -> Vec<Segment> {
            let split = text.split('*').map(str::to_owned).zip(every_other());
            split.map(|(text, is_bold)| if is_bold { Segment::Bold(text) } else { Segment::Text(text) }).collect()
        };
        let split = text.split('`').zip(every_other());
        Self(split.flat_map(|(text, is_code)| if is_code { vec![Segment::Code(text.to_owned())] } else { plain(text) }).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|segment| matches!(segment, Segment::Text(text) if text.is_empty()))
    }
}

/// Title of a provider and its account; the default account is left out.
pub(super) fn endpoint_name(service_type: &str, account: &str) -> String {
    let title = providers::find(service_type).map_or(service_type, |spec| spec.title);
    if account == "default" { title.to_owned() } else { format!("{title} / {account}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_time_shows_distance_and_absolute_time() {
        let at = |seconds| Timestamp::from_seconds(1_773_502_200 + seconds).expect("an instant");
        for (seconds, expected) in
            [(0, "now"), (-42, "42 s ago"), (-150, "2 min ago"), (-7_300, "2 h ago"), (-200_000, "2 d ago"), (90, "in 1 min")]
        {
            let shown = RelativeTime::new(at(seconds), at(0)).to_string();
            assert!(shown.contains(&format!(">{expected}</time>")), "{shown}");
        }
        let old = RelativeTime::new(at(-90 * DAY), at(0)).to_string();
        assert!(old.contains("14 Dec 2025") && old.contains(r#"datetime="2025-12-14T15:30:00Z""#), "{old}");
        assert!(!RelativeTime::new(None, at(0)).to_string().contains("time"));
    }

    #[test]
    fn markup_renders_code_and_bold() {
        let shown = Markup::new("Tick every `email.*` event in *Webhooks* <now>").to_string();
        assert!(shown.starts_with("Tick every <code>email.*</code> event in <b>Webhooks</b> "), "{shown}");
        assert!(!shown.contains("<now>"), "{shown}");
    }

    #[test]
    fn badge_escapes_its_label() {
        let shown = Badge::new(Severity::Neutral, "<script>\"'").to_string();
        assert!(!shown.contains("<script>") && shown.contains("script"), "{shown}");
    }
}
