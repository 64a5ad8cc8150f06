//! The figures of the overview, from the store's statistics.

use crate::{
    http::pages::{
        chart::{Bucket, Chart},
        components::{Severity, endpoint_name},
        layout::Section,
        period::Period,
    },
    store::{Backlog, MAX_COUNT, MessageCounts, Stats},
};

/// One key figure.
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) figure: String,
    pub(super) detail: String,
    pub(super) href: String,
    pub(super) severity: Severity,
}

/// One provider's row of the chart.
pub(super) struct ProviderRow {
    pub(super) title: String,
    pub(super) chart: Chart,
    pub(super) messages: String,
    pub(super) failed: String,
    pub(super) has_failures: bool,
    pub(super) delivery_rate: String,
    pub(super) open_rate: Option<String>,
}

pub(super) fn provider_rows(period: &Period, stats: &Stats) -> Vec<ProviderRow> {
    let row = |total: &MessageCounts| {
        let title = endpoint_name(&total.service_type, "default");
        let of_provider: Vec<&MessageCounts> =
            stats.buckets.iter().filter(|figures| figures.service_type == total.service_type).collect();
        let buckets = stats.starts.chunks(period.buckets_per_bar()).filter_map(|starts| {
            let mut bucket = Bucket { span: period.span(*starts.first()?), ..Bucket::default() };
            let is_inside = |figures: &&&MessageCounts| figures.start.is_some_and(|start| starts.contains(&start));
            for (status, count) in of_provider.iter().filter(is_inside).flat_map(|figures| &figures.by_status) {
                bucket.add(Severity::of_status(status), *count);
            }
            Some(bucket)
        });
        let buckets: Vec<Bucket> = buckets.collect();
        ProviderRow {
            chart: Chart { label: format!("{title}: messages by status over time. The table below lists the figures."), buckets },
            title,
            messages: group_thousands(total.messages),
            failed: group_thousands(total.failed),
            has_failures: total.failed > 0,
            delivery_rate: percent(total.delivery_rate),
            open_rate: (total.opened > 0).then(|| percent(total.open_rate)),
        }
    };
    stats.totals.iter().map(row).collect()
}

/// Five labels of the axis: the first bar, the last, and three between.
pub(super) fn ticks(period: &Period, stats: &Stats) -> Vec<String> {
    let labels: Vec<String> =
        stats.starts.chunks(period.buckets_per_bar()).filter_map(|starts| Some(period.tick(*starts.first()?))).collect();
    let last = labels.len().saturating_sub(1);
    (0..5).filter_map(|index| labels.get(index * last / 4).cloned()).collect()
}

pub(super) fn tiles(period: &Period, stats: &Stats, backlog: Backlog) -> Vec<Tile> {
    let sum = |figure: fn(&MessageCounts) -> i64| stats.totals.iter().map(figure).sum::<i64>();
    let messages = sum(|total| total.messages);
    let delivered = sum(|total| total.delivered);
    let failed = sum(|total| total.failed);
    let completed = delivered + failed;
    let delivery_rate = (completed > 0).then(|| percent_of(delivered, completed));
    let period_label = period.label();
    let until = period.until().map(|at| at.to_string()).unwrap_or_default();
    let since = period.filter.since.to_string();
    let in_period =
        |more: &[(&str, &str)]| Section::Messages.with_query(&[more, &[("since", &since), ("until", &until)]].concat());
    let if_any = |count: usize, severity: Severity| if count == 0 { Severity::Neutral } else { severity };
    let requests = |state: &str| Section::Requests.with_query(&[("state", state)]);
    vec![
        Tile {
            label: "Messages",
            figure: group_thousands(messages),
            detail: period_label.clone(),
            href: in_period(&[]),
            severity: Severity::Neutral,
        },
        Tile {
            label: "Delivered",
            figure: delivery_rate.unwrap_or_else(|| "–".to_owned()),
            detail: format!("{} of {} completed", group_thousands(delivered), group_thousands(completed)),
            href: in_period(&[("status", "delivered")]),
            severity: Severity::Neutral,
        },
        Tile {
            label: "Failed",
            figure: group_thousands(failed),
            detail: period_label,
            href: "#failures".to_owned(),
            severity: if failed > 0 { Severity::Failure } else { Severity::Neutral },
        },
        Tile {
            label: "Unmatched",
            figure: bounded_count(backlog.unmatched),
            detail: "not registered yet".to_owned(),
            href: Section::Messages.path().to_owned(),
            severity: Severity::Neutral,
        },
        Tile {
            label: "Quarantined",
            figure: bounded_count(backlog.quarantined),
            detail: "requests to review".to_owned(),
            href: requests("quarantined"),
            severity: if_any(backlog.quarantined, Severity::Warning),
        },
        Tile {
            label: "Rejected",
            figure: bounded_count(backlog.rejected),
            detail: "requests in the last hour".to_owned(),
            href: requests("rejected"),
            severity: if_any(backlog.rejected, Severity::Warning),
        },
    ]
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

/// A percentage with one decimal, rounded down: 100% means all.
fn percent_of(part: i64, whole: i64) -> String {
    let permille = (part * 1_000).checked_div(whole).unwrap_or_default();
    format!("{}.{}%", permille / 10, permille % 10)
}

/// The store counts up to a limit, which keeps the query cheap.
fn bounded_count(count: usize) -> String {
    let text = group_thousands(i64::try_from(count).unwrap_or(i64::MAX));
    if count < MAX_COUNT { text } else { format!("{text}+") }
}

fn group_thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_formatted() {
        assert_eq!([group_thousands(7), group_thousands(1_234_567)], ["7", "1,234,567"]);
        assert_eq!([percent_of(999, 1_000), percent_of(1, 3), percent_of(2, 2)], ["99.9%", "33.3%", "100.0%"]);
        assert_eq!([bounded_count(MAX_COUNT - 1), bounded_count(MAX_COUNT)], ["999", "1,000+"]);
    }
}
