//! The reports of one suppression, of which a bounded number is kept.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::time::Timestamp;

/// The newest reports that are kept of each kind. The first one is kept as well.
const MAX_REPORTS: usize = 20;

/// A report of a suppression, or of its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// The time of the event, or of its receipt if the provider reports none.
    #[serde(deserialize_with = "instant")]
    pub at: Timestamp,
    /// The provider's name of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_type: Option<String>,
    /// The provider's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// The message that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
    /// The request in which it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<i64>,
    /// The event; retention may have deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<i64>,
    /// The inbound message, for an opt-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<i64>,
}

/// The row that a report comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Event(i64),
    Inbound(i64),
    Unknown,
}

impl Report {
    pub(crate) fn source(&self) -> Source {
        match (self.inbound, self.event) {
            (Some(id), _) => Source::Inbound(id),
            (None, Some(id)) => Source::Event(id),
            (None, None) => Source::Unknown,
        }
    }
}

/// The reports of one suppression, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    pub(crate) reports: Vec<Report>,
    pub(crate) lifts: Vec<Report>,
}

impl Evidence {
    /// Parses the column; anything else than evidence, which the gateway never writes, counts as none.
    pub(crate) fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    pub(crate) fn add(&mut self, lifts: bool, report: Report) {
        let reports = if lifts { &mut self.lifts } else { &mut self.reports };
        reports.push(report);
        bound(reports);
    }

    /// Removes the reports that come from a row.
    pub(crate) fn retract(&mut self, source: Source) {
        self.reports.retain(|report| report.source() != source);
        self.lifts.retain(|report| report.source() != source);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.lifts.is_empty()
    }

    pub(crate) fn first_at(&self) -> Option<Timestamp> {
        self.reports.first().map(|report| report.at)
    }

    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        self.reports.last().map(|report| report.at)
    }

    pub(crate) fn lifted_at(&self) -> Option<Timestamp> {
        self.lifts.last().map(|report| report.at)
    }

    /// The first report since the last time that it was lifted; `None` if there is none. Of two reports of the same time, the
    /// suppression counts.
    pub(crate) fn active_since(&self) -> Option<Timestamp> {
        let lifted_at = self.lifted_at();
        self.reports.iter().map(|report| report.at).find(|at| lifted_at.is_none_or(|lifted_at| *at >= lifted_at))
    }
}

/// Keeps the first report and the newest ones, and of one source the first report: the same ones in any order of arrival.
fn bound(reports: &mut Vec<Report>) {
    reports.sort_unstable_by(|one, other| (one.source(), one).cmp(&(other.source(), other)));
    reports.dedup_by(|one, other| one.source() == other.source() && one.source() != Source::Unknown);
    reports.sort_unstable();
    if reports.len() > MAX_REPORTS {
        let end = reports.len() - MAX_REPORTS;
        reports.drain(1..end.max(1));
    }
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text).ok_or_else(|| D::Error::custom("not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seconds: i64, event: i64) -> Report {
        let at = Timestamp::from_seconds(seconds).expect("an instant");
        Report {
            at,
            provider_type: None,
            code: None,
            words: None,
            message: None,
            request: None,
            event: Some(event),
            inbound: None,
        }
    }

    fn folded(reports: &[(bool, i64)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (lifts, seconds) in reports {
            evidence.add(*lifts, report(*seconds, *seconds));
        }
        evidence
    }

    #[test]
    fn later_lift_ends_a_suppression_in_any_order() {
        let seconds = |evidence: &Evidence| evidence.active_since().map(Timestamp::seconds);
        for (reports, expected) in [
            (&[(false, 10)][..], Some(10)),
            (&[(false, 10), (false, 20)], Some(10)),
            (&[(false, 10), (true, 20)], None),
            (&[(false, 10), (true, 20), (false, 30), (false, 40)], Some(30)),
            (&[(true, 20), (false, 20)], Some(20)),
            (&[(true, 20)], None),
        ] {
            let mut reversed = reports.to_vec();
            reversed.reverse();
            assert_eq!(folded(reports), folded(&reversed));
            assert_eq!(folded(reports), folded(&[reports, &reversed[..]].concat()), "copies");
            assert_eq!(seconds(&folded(reports)), expected, "{reports:?}");
        }
    }

    #[test]
    fn kept_reports_are_bounded_and_independent_of_the_order() {
        let mut reports: Vec<(bool, i64)> = (1..=100).map(|seconds| (seconds % 3 == 0, seconds)).collect();
        let ascending = folded(&reports);
        reports.reverse();
        let descending = folded(&reports);
        reports.sort_unstable_by_key(|(_, seconds)| (seconds * 37) % 101);
        assert!(ascending == descending && ascending == folded(&reports));
        assert_eq!((ascending.reports.len(), ascending.lifts.len()), (MAX_REPORTS + 1, MAX_REPORTS + 1));
        assert_eq!(ascending.first_at().map(Timestamp::seconds), Some(1));
        assert_eq!(Evidence::parse(&ascending.to_json()), ascending);
    }

    #[test]
    fn retracted_source_leaves_no_trace() {
        let mut evidence = folded(&[(false, 10), (true, 20)]);
        evidence.retract(Source::Event(20));
        assert_eq!(evidence, folded(&[(false, 10)]));
        evidence.retract(Source::Event(10));
        assert!(evidence.is_empty());
    }
}
