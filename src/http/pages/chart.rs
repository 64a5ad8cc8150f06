//! A bar chart over time, rendered as SVG on the server. Failures extend below the baseline, so that they differ from deliveries in
//! more than colour.

use askama::{Template, filters::HtmlSafe};

use super::components::Severity;

/// Heights in SVG units, which equal the pixels of the style sheet.
const ABOVE: f64 = 42.0;
const BELOW: f64 = 17.0;
const SLOT_WIDTH: u32 = 10;

/// Makes a count of one visible beside a count of a million.
const MIN_HEIGHT: f64 = 1.5;

/// Message counts of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// The interval as text.
    pub(super) span: String,
    pub(super) delivered: i64,
    pub(super) pending: i64,
    pub(super) delayed: i64,
    pub(super) failed: i64,
}

impl Bucket {
    pub(super) fn total(&self) -> i64 {
        self.above_baseline() + self.failed
    }

    fn above_baseline(&self) -> i64 {
        self.delivered + self.pending + self.delayed
    }

    /// Adds messages of one severity. An unknown status counts as pending.
    pub(super) fn add(&mut self, severity: Severity, count: i64) {
        match severity {
            Severity::Success => self.delivered += count,
            Severity::Pending | Severity::Neutral => self.pending += count,
            Severity::Warning => self.delayed += count,
            Severity::Failure => self.failed += count,
        }
    }
}

#[derive(Clone, Debug, Template)]
#[template(path = "components/chart.html")]
pub(super) struct Chart {
    pub(super) label: String,
    pub(super) buckets: Vec<Bucket>,
}

impl HtmlSafe for Chart {}

struct Bar {
    title: String,
    /// Left edge of the bar's slot, which shows the title on hover.
    slot_x: u32,
    x: u32,
    segments: Vec<Segment>,
}

struct Segment {
    severity: Severity,
    y: String,
    height: String,
}

impl Chart {
    fn bars(&self) -> impl Iterator<Item = Bar> {
        let scale = self.scale();
        (0..).step_by(SLOT_WIDTH as usize).zip(&self.buckets).map(move |(slot_x, bucket)| Bar {
            title: format!(
                "{}: {} delivered, {} in progress, {} delayed, {} failed",
                bucket.span, bucket.delivered, bucket.pending, bucket.delayed, bucket.failed
            ),
            slot_x,
            x: slot_x + 1,
            segments: segments(bucket, scale),
        })
    }

    /// SVG units per message, the same above and below the baseline.
    fn scale(&self) -> f64 {
        let max = |count: fn(&Bucket) -> i64| self.buckets.iter().map(count).max().unwrap_or(0).max(1);
        (ABOVE / to_f64(max(Bucket::above_baseline))).min(BELOW / to_f64(max(|bucket| bucket.failed)))
    }

    fn width(&self) -> usize {
        self.buckets.len() * SLOT_WIDTH as usize
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn height(&self) -> String {
        units(ABOVE + BELOW + 1.0)
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn baseline(&self) -> String {
        units(ABOVE + 0.5)
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn slot_width(&self) -> u32 {
        SLOT_WIDTH
    }

    #[expect(clippy::unused_self, reason = "called by the template as a method")]
    fn bar_width(&self) -> u32 {
        SLOT_WIDTH - 2
    }
}

fn segments(bucket: &Bucket, scale: f64) -> Vec<Segment> {
    let height = |count| (to_f64(count) * scale).max(MIN_HEIGHT);
    let mut segments = Vec::new();
    let mut top = ABOVE;
    let stack = [(Severity::Success, bucket.delivered), (Severity::Pending, bucket.pending), (Severity::Warning, bucket.delayed)];
    for (severity, count) in stack {
        if count > 0 {
            top -= height(count);
            segments.push(Segment { severity, y: units(top.max(0.0)), height: units(height(count)) });
        }
    }
    if bucket.failed > 0 {
        segments.push(Segment { severity: Severity::Failure, y: units(ABOVE + 1.0), height: units(height(bucket.failed)) });
    }
    segments
}

fn units(length: f64) -> String {
    format!("{length:.1}")
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn to_f64(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(buckets: Vec<Bucket>) -> String {
        Chart { label: "Twilio".to_owned(), buckets }.to_string()
    }

    #[test]
    fn bars_have_titles() {
        let bucket = Bucket { span: "14:00 to 15:00".to_owned(), delivered: 120, pending: 4, delayed: 1, failed: 3 };
        let svg = rendered(vec![bucket, Bucket::default()]);
        assert!(svg.contains("<title>14:00 to 15:00: 120 delivered, 4 in progress, 1 delayed, 3 failed</title>"), "{svg}");
        assert_eq!(svg.matches("<rect class=\"hit\"").count(), 2);
        assert_eq!(svg.matches("<rect").count(), 2 + 4);
    }

    #[test]
    fn single_failure_among_a_million_is_visible() {
        let svg = rendered(vec![Bucket { delivered: 1_000_000, failed: 1, ..Bucket::default() }]);
        assert!(svg.contains(r#"<rect class="failure" x="1" y="43.0" width="8" height="1.5"/>"#), "{svg}");
        assert!(svg.contains(r#"<rect class="success" x="1" y="0.0" width="8" height="42.0"/>"#), "{svg}");
    }

    #[test]
    fn empty_chart_has_a_baseline() {
        assert!(rendered(vec![Bucket::default()]).contains("<line"));
    }
}
