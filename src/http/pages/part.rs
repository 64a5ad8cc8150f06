//! The small parts that pages are made of: a status as a badge, an instant as people read it.

use askama::{Template, filters::HtmlSafe};
use strum::AsRefStr;

use crate::{providers, status::Status, time::Timestamp};

/// What a status means to whoever looks: the colour and the shape of its badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Flow,
    /// Held up, or doubtful.
    Warn,
    /// Failed.
    Bad,
    /// Nothing is known.
    Idle,
}

impl Tone {
    /// The tone of a stored status.
    pub(super) fn of(status: &str) -> Self {
        match status.parse() {
            Ok(Status::Delivered) => Self::Good,
            Ok(Status::Scheduled | Status::Accepted | Status::Queued | Status::Sending | Status::Sent) => Self::Flow,
            Ok(Status::Deferred | Status::Unconfirmed | Status::Canceled) => Self::Warn,
            Ok(status) if status.is_failure() => Self::Bad,
            _ => Self::Idle,
        }
    }
}

/// A word with its tone.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "part/badge.html")]
pub(super) struct Badge {
    pub(super) tone: Tone,
    pub(super) word: String,
}

/// It escapes its word itself.
impl HtmlSafe for Badge {}

impl Badge {
    pub(super) fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }

    pub(super) fn status(status: &str) -> Self {
        Self::new(Tone::of(status), status)
    }
}

/// An instant, or none: how long ago it was, and in full where the pointer rests on it.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "part/moment.html")]
pub(super) struct Moment {
    at: Option<Timestamp>,
    now: Timestamp,
}

impl HtmlSafe for Moment {}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Moment {
    pub(super) fn new(at: impl Into<Option<Timestamp>>, now: Timestamp) -> Self {
        Self { at: at.into(), now }
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
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

/// A sentence in which words between backticks are code, and between asterisks what is to be clicked: as Markdown has it.
#[derive(Clone, Debug, Template)]
#[template(path = "part/prose.html")]
pub(super) struct Prose(Vec<Piece>);

impl HtmlSafe for Prose {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Label(String),
    Code(String),
}

impl Prose {
    pub(super) fn new(text: &str) -> Self {
        let every_other = || [false, true].into_iter().cycle();
        let plain = |text: &str| -> Vec<Piece> {
            let split = text.split('*').map(str::to_owned).zip(every_other());
            split.map(|(text, is_label)| if is_label { Piece::Label(text) } else { Piece::Text(text) }).collect()
        };
        let split = text.split('`').zip(every_other());
        Self(split.flat_map(|(text, is_code)| if is_code { vec![Piece::Code(text.to_owned())] } else { plain(text) }).collect())
    }
}

/// A provider and its account in words; the unnamed account goes without saying.
pub(super) fn endpoint(service_type: &str, account: &str) -> String {
    let title = providers::find(service_type).map_or(service_type, |spec| spec.title);
    if account == "default" { title.to_owned() } else { format!("{title} / {account}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_by_its_distance_and_in_full() {
        let at = |seconds| Timestamp::from_seconds(1_773_502_200 + seconds).expect("an instant");
        for (seconds, expected) in
            [(0, "now"), (-42, "42 s ago"), (-150, "2 min ago"), (-7_300, "2 h ago"), (-200_000, "2 d ago"), (90, "in 1 min")]
        {
            let shown = Moment::new(at(seconds), at(0)).to_string();
            assert!(shown.contains(&format!(">{expected}</time>")), "{shown}");
        }
        let old = Moment::new(at(-90 * DAY), at(0)).to_string();
        assert!(old.contains("14 Dec 2025") && old.contains(r#"datetime="2025-12-14T15:30:00Z""#), "{old}");
        assert!(!Moment::new(None, at(0)).to_string().contains("time"));
    }

    #[test]
    fn prose_marks_code_and_labels() {
        let shown = Prose::new("Tick every `email.*` event in *Webhooks* <now>").to_string();
        assert!(shown.starts_with("Tick every <code>email.*</code> event in <b>Webhooks</b> "), "{shown}");
        assert!(!shown.contains("<now>"), "{shown}");
    }

    #[test]
    fn a_word_of_a_stranger_is_text() {
        let shown = Badge::new(Tone::Idle, "<script>\"'").to_string();
        assert!(!shown.contains("<script>") && shown.contains("script"), "{shown}");
    }
}
