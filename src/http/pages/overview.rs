//! The first page: how messages fare, whether callbacks come, and what waits for somebody.

use actix_web::{Error, HttpResponse, web::Query};
use askama::Template;
use serde::Deserialize;
use strum::{EnumMessage, VariantArray};

use super::{
    frame::{Choice, Frame, Section},
    health::{self, Health},
    messages::Row,
    part::{Tone, endpoint},
    period::Period,
    plot::{Bucket, Plot},
    problem::{Problem, Trouble},
    visit::Visit,
};
use crate::{
    status::Status,
    store::{Backlog, COUNTED, Figures, Message, MessageFilter, Stats, Store, StoreError},
};

/// Failures that are shown.
const FAILURES: i64 = 8;

const HOUR: i64 = 3_600;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    period: String,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    period: Period,
    tiles: Vec<Tile>,
    lanes: Vec<Lane>,
    ticks: Vec<String>,
    failures: Vec<Row>,
    endpoints: Vec<Health>,
}

/// One figure.
struct Tile {
    what: &'static str,
    figure: String,
    more: String,
    path: String,
    /// Whether somebody should look.
    tone: Tone,
}

/// One provider in the plot.
struct Lane {
    title: String,
    plot: Plot,
    messages: String,
    failed: String,
    is_failing: bool,
    rate: String,
    opens: Option<String>,
}

impl Page {
    fn choices(&self) -> impl Iterator<Item = Choice> {
        Period::VARIANTS.iter().map(|period| Choice {
            path: Section::Overview.with(&[("period", if *period == Period::Day { "" } else { period.as_ref() })]),
            title: period.get_message().unwrap_or_default().to_owned(),
            is_here: *period == self.period,
        })
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn legend(&self) -> [(Tone, &'static str); 4] {
        [
            (Tone::Good, "delivered"),
            (Tone::Flow, "under way"),
            (Tone::Warn, "held up or canceled"),
            (Tone::Bad, "failed, below the line"),
        ]
    }
}

pub(super) async fn show(visit: Visit, asked: Result<Query<Asked>, Error>) -> Result<HttpResponse, Problem> {
    let unread = || visit.problem(Trouble::Query);
    let asked = asked.map_err(|_| unread())?.into_inner();
    let period: Period = if asked.period.is_empty() { Period::Day } else { asked.period.parse().map_err(|_| unread())? };
    let now = visit.now;
    let filter = period.filter(now);
    let hour = crate::time::Timestamp::from_seconds(now.seconds() - HOUR).unwrap_or(now);
    let (stats, backlog, failures) = visit
        .ask(move |store| {
            let starts = filter.starts().unwrap_or_default();
            Ok((store.stats(&filter, starts)?, store.backlog(hour)?, failures(store)?))
        })
        .await?;
    let endpoints = health::all(&visit).await?;
    let lanes = lanes(period, &stats);
    let page = Page {
        frame: visit.frame(Section::Overview, "Overview"),
        period,
        tiles: tiles(period, &stats, backlog),
        ticks: ticks(period, &stats),
        lanes,
        failures: failures.into_iter().map(|message| Row::new(message, &visit)).collect(),
        endpoints,
    };
    visit.show(&page)
}

/// The newest messages that failed, each kind of failure asked for by its index.
fn failures(store: &Store) -> Result<Vec<Message>, StoreError> {
    let mut failures = Vec::new();
    for status in Status::VARIANTS.iter().copied().filter(|status| status.is_failure()) {
        let filter = MessageFilter { status: Some(status), limit: FAILURES, ..MessageFilter::default() };
        failures.extend(store.messages(&filter)?.items);
    }
    failures.sort_by_key(|message| std::cmp::Reverse((message.status_at.unwrap_or(message.created_at), message.id)));
    failures.truncate(usize::try_from(FAILURES).unwrap_or_default());
    Ok(failures)
}

fn lanes(period: Period, stats: &Stats) -> Vec<Lane> {
    let lane = |total: &Figures| {
        let title = endpoint(&total.service_type, "default");
        let of_provider: Vec<&Figures> =
            stats.buckets.iter().filter(|figures| figures.service_type == total.service_type).collect();
        let buckets = stats.starts.chunks(period.per_bar()).filter_map(|starts| {
            let mut bucket = Bucket { span: period.span(*starts.first()?), ..Bucket::default() };
            let inside = |figures: &&&Figures| figures.start.is_some_and(|start| starts.contains(&start));
            for (status, count) in of_provider.iter().filter(inside).flat_map(|figures| &figures.by_status) {
                bucket.add(Tone::of(status), *count);
            }
            Some(bucket)
        });
        let buckets: Vec<Bucket> = buckets.collect();
        Lane {
            plot: Plot { label: format!("{title}: messages by status over time; the table below has the figures"), buckets },
            title,
            messages: grouped(total.messages),
            failed: grouped(total.failed),
            is_failing: total.failed > 0,
            rate: percent(total.delivery_rate),
            opens: (total.opened > 0).then(|| format!("{} opened", percent(total.open_rate))),
        }
    };
    stats.totals.iter().map(lane).collect()
}

/// Five places on the axis: the first bar, the last, and three between.
fn ticks(period: Period, stats: &Stats) -> Vec<String> {
    let bars: Vec<String> =
        stats.starts.chunks(period.per_bar()).filter_map(|starts| Some(period.tick(*starts.first()?))).collect();
    let last = bars.len().saturating_sub(1);
    (0..5).filter_map(|place| bars.get(place * last / 4).cloned()).collect()
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}

fn tiles(period: Period, stats: &Stats, backlog: Backlog) -> Vec<Tile> {
    let sum = |of: fn(&Figures) -> i64| stats.totals.iter().map(of).sum::<i64>();
    let (messages, delivered, failed) = (sum(|one| one.messages), sum(|one| one.delivered), sum(|one| one.failed));
    let settled = delivered + failed;
    let rate = (settled > 0).then(|| permille(delivered, settled));
    let within = format!("in {}", period.get_message().unwrap_or_default());
    let calm = |count: usize, tone: Tone| if count == 0 { Tone::Idle } else { tone };
    let requests = |state: &str| Section::Requests.with(&[("state", state)]);
    vec![
        Tile {
            what: "Messages",
            figure: grouped(messages),
            more: within.clone(),
            path: Section::Messages.path().to_owned(),
            tone: Tone::Idle,
        },
        Tile {
            what: "Delivered",
            figure: rate.unwrap_or_else(|| "–".to_owned()),
            more: format!("{} of {} settled", grouped(delivered), grouped(settled)),
            path: Section::Messages.with(&[("status", "delivered")]),
            tone: Tone::Idle,
        },
        Tile {
            what: "Failed",
            figure: grouped(failed),
            more: within,
            path: "#failures".to_owned(),
            tone: if failed > 0 { Tone::Bad } else { Tone::Idle },
        },
        Tile {
            what: "Unmatched",
            figure: counted(backlog.unmatched),
            more: "not registered by the application".to_owned(),
            path: Section::Messages.path().to_owned(),
            tone: Tone::Idle,
        },
        Tile {
            what: "Quarantined",
            figure: counted(backlog.quarantined),
            more: "requests that wait for somebody".to_owned(),
            path: requests("quarantined"),
            tone: calm(backlog.quarantined, Tone::Warn),
        },
        Tile {
            what: "Rejected",
            figure: counted(backlog.rejected),
            more: "requests in the last hour".to_owned(),
            path: requests("rejected"),
            tone: calm(backlog.rejected, Tone::Warn),
        },
    ]
}

/// A share in per cent, to one place, rounded down: 100 % means all.
fn permille(part: i64, whole: i64) -> String {
    let share = (part * 1_000).checked_div(whole).unwrap_or_default();
    format!("{}.{} %", share / 10, share % 10)
}

/// Counted up to a bound, so that a look costs little.
fn counted(count: usize) -> String {
    let text = grouped(i64::try_from(count).unwrap_or(i64::MAX));
    if count < COUNTED { text } else { format!("{text}+") }
}

/// With a narrow blank between thousands.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_people() {
        assert_eq!([grouped(7), grouped(1_234_567)], ["7".to_owned(), "1\u{202f}234\u{202f}567".to_owned()]);
        assert_eq!([permille(999, 1_000), permille(1, 3), permille(2, 2)], ["99.9 %", "33.3 %", "100.0 %"]);
        assert_eq!([counted(COUNTED - 1), counted(COUNTED)], ["999".to_owned(), "1\u{202f}000+".to_owned()]);
    }
}
