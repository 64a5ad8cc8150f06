//! The metrics of a gateway, and their conservation law: each request has one outcome and one response.

use std::collections::{BTreeMap, BTreeSet};

use waybill::gateway::Gateway;

/// One sample of the exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All samples of a gateway.
pub struct Metrics(pub Vec<Sample>);

impl Metrics {
    pub fn read(gateway: &Gateway) -> Self {
        Self::parse(&gateway.exposition().expect("an exposition"))
    }

    pub fn parse(exposition: &str) -> Self {
        assert!(exposition.ends_with("# EOF\n"), "OpenMetrics ends with EOF: {exposition}");
        Self(exposition.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }

    /// The sum of the samples with that name, without `waybill_`, and those labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matches = |sample: &&Sample| {
            sample.name.strip_prefix("waybill_") == Some(name)
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|actual| actual == value))
        };
        self.0.iter().filter(matches).map(|sample| sample.value).sum()
    }

    /// The values of a label.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.0.iter().filter_map(|sample| sample.labels.get(label)).map(String::as_str).collect()
    }

    /// Asserts that the counters of each endpoint add up. A request in progress is received and has no outcome yet.
    pub fn assert_conserved(&self) {
        let endpoints: BTreeSet<(&str, &str)> = self
            .0
            .iter()
            .filter(|sample| sample.name == "waybill_requests_received_total")
            .map(|sample| (sample.labels["provider"].as_str(), sample.labels["account"].as_str()))
            .collect();
        for (provider, account) in endpoints {
            let labels = [("provider", provider), ("account", account)];
            let received = self.sum("requests_received_total", &labels);
            let outcome = |outcome| self.sum("requests_outcome_total", &[labels[0], labels[1], ("outcome", outcome)]);
            let endpoint = format!("{provider}/{account}");
            assert_same(received, self.sum("requests_outcome_total", &labels), &format!("{endpoint}: received and outcomes"));
            assert_same(
                outcome("rejected"),
                self.sum("requests_rejected_total", &labels),
                &format!("{endpoint}: rejected and causes"),
            );
            assert_same(outcome("failed"), self.sum("requests_failed_total", &labels), &format!("{endpoint}: failed and causes"));
            let aborted = self.sum("requests_failed_total", &[labels[0], labels[1], ("cause", "aborted")]);
            let answered = self.sum("answers_total", &labels);
            assert!((received - aborted..=received).contains(&answered), "{endpoint}: {answered} answers to {received} requests");
            let verified = self.sum("verified_total", &labels);
            let stored = outcome("accepted") + outcome("duplicate") + outcome("quarantined");
            assert!(
                stored <= verified && verified + outcome("rejected") <= received,
                "{endpoint}: {stored} stored, {verified} verified"
            );
        }
        let unlabelled = |name: &str| self.sum(name, &[]);
        assert_same(unlabelled("request_duration_seconds_count"), unlabelled("answers_total"), "durations and answers");
        assert!(unlabelled("commit_batch_size_count") <= unlabelled("commit_batch_size_sum"), "no empty transaction");
        assert!(unlabelled("event_lag_seconds_count") <= unlabelled("events_total"), "a lag belongs to an event");
    }
}

fn assert_same(one: f64, other: f64, endpoint: &str) {
    assert!((one - other).abs() < 0.5, "{endpoint}: {one} and {other}");
}

/// Parses `name{label="value",…} value`. No label value of Waybill needs escapes.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no labels: {line}"));
    assert!(!labels.contains('\\'), "an escaped value: {line}");
    let label = |label: &str| {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        (name.to_owned(), value.strip_suffix('"').unwrap_or(value).to_owned())
    };
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(label).collect();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|error| panic!("{error}: {line}")) }
}
