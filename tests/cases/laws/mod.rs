//! Laws that hold for every recorded callback. A provider cannot be added without them.

mod cut;
mod reencoded;
mod rejected;
mod stored;
mod uncovered;

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use waybill::fixture::Fixture;

use crate::{
    case::{cases, is_applied, is_form, is_verified, scheme},
    support::{database::Backend, timing},
};

struct Law {
    name: &'static str,
    applies: fn(&Fixture) -> bool,
    holds: fn(&Fixture, Backend),
    /// Its outcome is decided before the store: one case of each scheme runs on both databases, the others on SQLite.
    is_decided_before_store: bool,
}

const fn stored(name: &'static str, applies: fn(&Fixture) -> bool, holds: fn(&Fixture, Backend)) -> Law {
    Law { name, applies, holds, is_decided_before_store: false }
}

const fn decided(name: &'static str, applies: fn(&Fixture) -> bool, holds: fn(&Fixture, Backend)) -> Law {
    Law { name, applies, holds, is_decided_before_store: true }
}

const LAWS: [Law; 19] = [
    stored("as_recorded", |_| true, stored::as_recorded),
    stored("duplicate_changes_nothing", is_verified, stored::duplicate_changes_nothing),
    stored("clock_at_tolerance_is_accepted", has_tolerance, stored::clock_at_tolerance_is_accepted),
    stored("forgery_makes_no_duplicate", covers_payload, stored::forgery_makes_no_duplicate),
    stored("content_type_is_irrelevant", covers_bytes, stored::content_type_is_irrelevant),
    stored("uncovered_part_changes_nothing", is_verified, uncovered::changes_nothing),
    stored("blank_parameters_change_nothing", may_have_blanks, stored::blank_parameters_change_nothing),
    // Key and shape decide, which no database knows.
    decided("reencoded_after_changes_nothing", has_no_delimiters, cut::after_changes_nothing),
    decided("reencoded_before_changes_nothing", has_no_delimiters, cut::before_changes_nothing),
    stored("reencoded_is_rejected_or_duplicate", signs_parameters, reencoded::is_rejected_or_duplicate),
    stored(
        "reencoded_refers_to_no_other_message",
        |case| is_applied(case) && signs_parameters(case),
        reencoded::refers_to_no_other_message,
    ),
    decided("changed_payload_is_rejected", covers_payload, rejected::changed_payload),
    decided("changed_url_is_rejected", |case| is_verified(case) && scheme(case).covers_url, rejected::changed_url),
    decided("changed_content_type_is_rejected", is_covered_form, rejected::changed_content_type),
    decided("missing_proof_is_rejected", is_verified, rejected::missing_proof),
    decided("repeated_proof_is_rejected", is_verified, rejected::repeated_proof),
    decided("truncated_proof_is_rejected", is_verified, rejected::truncated_proof),
    decided("clock_beyond_tolerance_is_rejected", has_tolerance, rejected::clock_beyond_tolerance),
    decided("proof_of_another_account_is_rejected", is_verified, rejected::proof_of_another_account),
];

fn covers_payload(case: &Fixture) -> bool {
    is_verified(case) && scheme(case).covers_payload
}

/// Its scheme signs the bytes of its body, under any content type.
fn covers_bytes(case: &Fixture) -> bool {
    covers_payload(case) && !["request", "sms", "md5-plain"].contains(&scheme(case).name)
}

/// Its scheme joins URL, names and values without delimiters, so that a captured request can be cut in other ways.
fn has_no_delimiters(case: &Fixture) -> bool {
    is_verified(case) && scheme(case).covers_url
}

/// Its scheme signs decoded parameters with delimiters, so that a captured request can be encoded in other ways.
fn signs_parameters(case: &Fixture) -> bool {
    is_verified(case) && ["sms", "md5-plain"].contains(&scheme(case).name)
}

/// A form whose signature covers it as a form only.
fn is_covered_form(case: &Fixture) -> bool {
    (has_no_delimiters(case) || signs_parameters(case)) && is_form(case) && !covers_bytes(case)
}

fn has_tolerance(case: &Fixture) -> bool {
    is_verified(case) && scheme(case).tolerance.is_some()
}

fn may_have_blanks(case: &Fixture) -> bool {
    is_applied(case) && scheme(case).name == "sms"
}

/// One trial per case, law and database, in the order of their settings, so that few gateways are started.
pub(crate) fn trials() -> Vec<Trial> {
    let mut cases = cases();
    cases.sort_by(|one, other| settings(one).cmp(&settings(other)));
    let groups: Vec<&[Fixture]> = cases.chunk_by(|one, other| settings(one) == settings(other)).collect();
    let mut on_both = BTreeSet::new();
    let mut trials = Vec::new();
    for group in groups {
        let laws = group.iter().flat_map(|case| LAWS.iter().filter(|law| (law.applies)(case)).map(move |law| (case, law)));
        let laws: Vec<(&Fixture, &Law)> = laws.collect();
        let needs_both = |(case, law): &(&Fixture, &Law)| {
            !law.is_decided_before_store || on_both.insert((law.name, case.spec.name, scheme(case).name))
        };
        let both: Vec<(&Fixture, &Law)> = laws.iter().copied().filter(needs_both).collect();
        trials.extend(laws.into_iter().map(|(case, law)| trial(case, law, Backend::Sqlite)));
        trials.extend(both.into_iter().map(|(case, law)| trial(case, law, Backend::Postgres)));
    }
    trials
}

fn settings(case: &Fixture) -> impl Ord {
    (case.spec.name, &case.request.settings, &case.request.now)
}

fn trial(case: &Fixture, law: &Law, backend: Backend) -> Trial {
    let (case, holds) = (case.clone(), law.holds);
    let name = format!("{}/{} {} {}", case.spec.name, case.name, law.name, backend.name());
    timing::trial(name, move || holds(&case, backend))
}
