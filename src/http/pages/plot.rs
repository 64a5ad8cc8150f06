//! The plot: bars over time, drawn as SVG on the server. What failed hangs below the line, so that no colour is needed to
//! tell it from what was delivered.

use askama::{Template, filters::HtmlSafe};

use super::part::Tone;

/// Heights in the plot's own units, which are those of the style sheet's pixels.
const ABOVE: f64 = 42.0;
const BELOW: f64 = 17.0;
const STEP: u32 = 10;

/// What is not nothing can be seen.
const LEAST: f64 = 1.5;

/// One stretch of time: how many of each tone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// From when to when, in words.
    pub(super) span: String,
    pub(super) good: i64,
    pub(super) flow: i64,
    pub(super) warn: i64,
    pub(super) bad: i64,
}

impl Bucket {
    pub(super) fn total(&self) -> i64 {
        self.above() + self.bad
    }

    fn above(&self) -> i64 {
        self.good + self.flow + self.warn
    }

    /// Adds so many of a tone. What nothing is known about counts as under way.
    pub(super) fn add(&mut self, tone: Tone, count: i64) {
        match tone {
            Tone::Good => self.good += count,
            Tone::Flow | Tone::Idle => self.flow += count,
            Tone::Warn => self.warn += count,
            Tone::Bad => self.bad += count,
        }
    }
}

/// A row of bars.
#[derive(Clone, Debug, Template)]
#[template(path = "part/plot.html")]
pub(super) struct Plot {
    pub(super) label: String,
    pub(super) buckets: Vec<Bucket>,
}

impl HtmlSafe for Plot {}

struct Bar {
    title: String,
    x: u32,
    left: u32,
    blocks: Vec<Block>,
}

struct Block {
    tone: Tone,
    y: String,
    height: String,
}

impl Plot {
    fn bars(&self) -> impl Iterator<Item = Bar> {
        let scale = self.scale();
        (0..).step_by(STEP as usize).zip(&self.buckets).map(move |(x, bucket)| Bar {
            title: format!(
                "{}: {} delivered, {} under way, {} held up, {} failed",
                bucket.span, bucket.good, bucket.flow, bucket.warn, bucket.bad
            ),
            x,
            left: x + 1,
            blocks: blocks(bucket, scale),
        })
    }

    /// Units per message: the same above and below the line.
    fn scale(&self) -> f64 {
        let most = |of: fn(&Bucket) -> i64| self.buckets.iter().map(of).max().unwrap_or(0).max(1);
        (ABOVE / float(most(Bucket::above))).min(BELOW / float(most(|bucket| bucket.bad)))
    }

    fn width(&self) -> usize {
        self.buckets.len() * STEP as usize
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn height(&self) -> String {
        units(ABOVE + BELOW + 1.0)
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn zero(&self) -> String {
        units(ABOVE + 0.5)
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn step(&self) -> u32 {
        STEP
    }

    #[expect(clippy::unused_self, reason = "the template calls it so")]
    fn thickness(&self) -> u32 {
        STEP - 2
    }
}

fn blocks(bucket: &Bucket, scale: f64) -> Vec<Block> {
    let tall = |count| (float(count) * scale).max(LEAST);
    let mut blocks = Vec::new();
    let mut top = ABOVE;
    for (tone, count) in [(Tone::Good, bucket.good), (Tone::Flow, bucket.flow), (Tone::Warn, bucket.warn)] {
        if count > 0 {
            top -= tall(count);
            blocks.push(Block { tone, y: units(top.max(0.0)), height: units(tall(count)) });
        }
    }
    if bucket.bad > 0 {
        blocks.push(Block { tone: Tone::Bad, y: units(ABOVE + 1.0), height: units(tall(bucket.bad)) });
    }
    blocks
}

fn units(length: f64) -> String {
    format!("{length:.1}")
}

/// Counts of rows are far below the 2^53 that such a number holds exactly.
#[expect(clippy::cast_precision_loss, reason = "a plot is not a ledger")]
fn float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(buckets: Vec<Bucket>) -> String {
        Plot { label: "Twilio".to_owned(), buckets }.to_string()
    }

    #[test]
    fn every_bar_says_in_words_what_it_shows() {
        let bucket = Bucket { span: "14:00 to 15:00".to_owned(), good: 120, flow: 4, warn: 1, bad: 3 };
        let svg = drawn(vec![bucket, Bucket::default()]);
        assert!(svg.contains("<title>14:00 to 15:00: 120 delivered, 4 under way, 1 held up, 3 failed</title>"), "{svg}");
        assert_eq!(svg.matches("<rect class=\"hit\"").count(), 2);
        assert_eq!(svg.matches("<rect").count(), 2 + 4);
    }

    #[test]
    fn one_failure_among_a_million_can_be_seen() {
        let svg = drawn(vec![Bucket { good: 1_000_000, bad: 1, ..Bucket::default() }]);
        assert!(svg.contains(r#"<rect class="bad" x="1" y="43.0" width="8" height="1.5"/>"#), "{svg}");
        assert!(svg.contains(r#"<rect class="good" x="1" y="0.0" width="8" height="42.0"/>"#), "{svg}");
    }

    #[test]
    fn nothing_at_all_is_a_line() {
        assert!(drawn(vec![Bucket::default()]).contains("<line"));
    }
}
