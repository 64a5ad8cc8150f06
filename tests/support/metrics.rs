//! What a gateway tells Prometheus, and the law that its figures add up.

use std::collections::{BTreeMap, BTreeSet};

use waybill::gateway::Gateway;

/// One line of the exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All that a gateway tells.
pub struct Metrics(pub Vec<Sample>);

impl Metrics {
    pub fn of(gateway: &Gateway) -> Self {
        Self::parse(&gateway.exposition().expect("an exposition"))
    }

    pub fn parse(exposition: &str) -> Self {
        assert!(exposition.ends_with("# EOF\n"), "OpenMetrics ends so: {exposition}");
        Self(exposition.lines().filter(|line| !line.starts_with('#')).map(sample).collect())
    }

    /// The sum of what has that name and those labels, `waybill_` left out.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_meant = |sample: &&Sample| {
            sample.name.strip_prefix("waybill_") == Some(name)
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        };
        self.0.iter().filter(is_meant).map(|sample| sample.value).sum()
    }

    /// The values of a label.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.0.iter().filter_map(|sample| sample.labels.get(label)).map(String::as_str).collect()
    }

    /// The figures of an endpoint add up. While a request is in work it is received and has no outcome yet.
    pub fn assert_conserved(&self) {
        let endpoints: BTreeSet<(&str, &str)> = self
            .0
            .iter()
            .filter(|sample| sample.name == "waybill_requests_received_total")
            .map(|sample| (sample.labels["provider"].as_str(), sample.labels["account"].as_str()))
            .collect();
        for (provider, account) in endpoints {
            let of = [("provider", provider), ("account", account)];
            let received = self.sum("requests_received_total", &of);
            let outcome = |outcome| self.sum("requests_outcome_total", &[of[0], of[1], ("outcome", outcome)]);
            let what = format!("{provider}/{account}");
            assert_same(received, self.sum("requests_outcome_total", &of), &format!("{what}: received and outcomes"));
            assert_same(outcome("rejected"), self.sum("requests_rejected_total", &of), &format!("{what}: rejected and causes"));
            assert_same(outcome("failed"), self.sum("requests_failed_total", &of), &format!("{what}: failed and causes"));
            let aborted = self.sum("requests_failed_total", &[of[0], of[1], ("cause", "aborted")]);
            let answered = self.sum("answers_total", &of);
            assert!((received - aborted..=received).contains(&answered), "{what}: {answered} answers to {received} requests");
            let proven = self.sum("verified_total", &of);
            let stored = outcome("accepted") + outcome("duplicate") + outcome("quarantined");
            assert!(stored <= proven && proven + outcome("rejected") <= received, "{what}: {stored} stored, {proven} proven");
        }
        let unlabelled = |name: &str| self.sum(name, &[]);
        assert_same(unlabelled("request_duration_seconds_count"), unlabelled("answers_total"), "durations and answers");
        assert!(unlabelled("commit_batch_size_count") <= unlabelled("commit_batch_size_sum"), "no empty transaction");
        assert!(unlabelled("event_lag_seconds_count") <= unlabelled("events_total"), "a lag belongs to an event");
    }
}

fn assert_same(one: f64, other: f64, what: &str) {
    assert!((one - other).abs() < 0.5, "{what}: {one} and {other}");
}

/// Reads `name{label="value",…} value`. No value of ours is escaped.
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
