//! The recipients that a bounce or a suppression singles out.
//!
//! `data.to` has the recipients that an event concerns (resend-openapi `resend.yaml`: "impacted recipient email addresses"). Since November
//! 2024 that is one address in each event (resend.com/changelog/webhook-event-visibility), but events with all recipients of the e-mail are
//! reported as well (anymail.dev, resend/resend-python#68). Of those, `diagnosticCode` has "one entry per recipient", and most mail systems
//! repeat the address in their response: `550 5.1.1 <ada@dest.example>: user unknown`. All read 2026-11-28.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reason;
use crate::{
    address,
    event::{DeliveryError, MAX_RECIPIENT_REPORTS, RecipientReport},
    json::{self, text as word},
    text,
};

/// The longest response that is stored for one recipient. A line of a reply has at most 512 bytes (RFC 5321, 4.5.3.1.5).
const MAX_DIAGNOSTIC: usize = 1 << 10;

/// The places of explanations. They are about the event, but some name the address that failed.
const EXPLANATIONS: [&str; 4] =
    ["/data/bounce/message", "/data/suppressed/message", "/data/failed/message", "/data/failed/reason"];

/// The reports about single recipients. `error` explains a response.
pub(super) fn recipients(payload: &Value, error: impl Fn(&str) -> DeliveryError) -> Vec<RecipientReport> {
    let Some(to) = json::at(payload, "/data/to").and_then(Value::as_array).filter(|to| to.len() > 1) else { return Vec::new() };
    let responses: Vec<&str> = reason::responses(payload).into_iter().map(Option::unwrap_or_default).collect();
    let explanations: Vec<&str> = EXPLANATIONS.iter().filter_map(|place| word(payload, place)).collect();
    if to.len().max(responses.len()) > MAX_RECIPIENT_REPORTS || (responses.is_empty() && explanations.is_empty()) {
        return Vec::new();
    }
    let addresses: Option<Vec<String>> = to.iter().map(|one| only(address::emails(one.as_str()?))).collect();
    let reports = |to: Vec<String>| {
        let keys: Vec<String> = to.iter().map(|address| key(address)).collect();
        let found = reports(&to, &keys, &responses, &error);
        if found.is_empty() { explained(&to, &keys, &explanations, &error) } else { found }
    };
    addresses.map(reports).unwrap_or_default()
}

/// The report about the only recipient that an explanation names.
fn explained(
    to: &[String],
    keys: &[String],
    explanations: &[&str],
    error: impl Fn(&str) -> DeliveryError,
) -> Vec<RecipientReport> {
    let named = |text: &&str| match named_in(text, keys).as_slice() {
        [one] => to.get(*one).map(|address| report(address, text, &error(text))),
        _ => None,
    };
    explanations.iter().find_map(named).into_iter().collect()
}

/// The only address of an entry.
fn only(mut addresses: Vec<String>) -> Option<String> {
    addresses.pop().filter(|_| addresses.is_empty())
}

/// The reports about single recipients of `to`. A response belongs to the one recipient whose address it has; if there is one for each, and
/// no address contradicts the order of the list, to the recipient at its place.
fn reports(to: &[String], keys: &[String], responses: &[&str], error: impl Fn(&str) -> DeliveryError) -> Vec<RecipientReport> {
    let named: Vec<Vec<usize>> = responses.iter().map(|response| named_in(response, keys)).collect();
    let is_in_order =
        responses.len() == to.len() && named.iter().enumerate().all(|(place, named)| named.iter().all(|one| *one == place));
    let mut by_recipient: BTreeMap<usize, &str> = BTreeMap::new();
    let mut has_others = false;
    for (place, (response, named)) in responses.iter().zip(&named).enumerate() {
        match (is_in_order, named.as_slice()) {
            (true, _) => drop(by_recipient.insert(place, response)),
            (false, [one]) => drop(by_recipient.insert(*one, response)),
            (false, _) => has_others = true,
        }
    }
    if by_recipient.is_empty() {
        return Vec::new();
    }
    let report = |(place, address): (usize, &String)| match by_recipient.get(&place) {
        Some(response) => Some(report(address, response, &error(response))),
        // The response that names no recipient is that of one of the others.
        None => has_others.then(|| RecipientReport { address: address.clone(), is_shared: true, ..RecipientReport::default() }),
    };
    to.iter().enumerate().filter_map(report).collect()
}

fn report(address: &str, response: &str, error: &DeliveryError) -> RecipientReport {
    RecipientReport {
        address: address.to_owned(),
        diagnostic: text::present(text::truncated(response, MAX_DIAGNOSTIC)),
        error_category: Some(error.category),
        error_permanence: Some(error.permanence),
        is_shared: false,
    }
}

/// The form of an address in which it is compared.
fn key(address: &str) -> String {
    address::lookup_keys(address).into_iter().next().unwrap_or_else(|| address.to_lowercase())
}

/// The places of the recipients whose addresses occur in a response.
fn named_in(response: &str, keys: &[String]) -> Vec<usize> {
    let response = text::truncated(response, MAX_DIAGNOSTIC).to_lowercase();
    keys.iter().enumerate().filter(|(_, key)| address::is_contained(&response, key)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn singled_out(to: &[&str], responses: &[&str]) -> Vec<(String, Option<String>)> {
        let to: Vec<String> = to.iter().map(|one| (*one).to_owned()).collect();
        let keys: Vec<String> = to.iter().map(|address| key(address)).collect();
        let reports = reports(&to, &keys, responses, |_| DeliveryError::unexplained());
        assert!(reports.iter().all(|report| report.is_shared == report.diagnostic.is_none()));
        reports.into_iter().map(|report| (report.address, report.diagnostic)).collect()
    }

    #[test]
    fn responses_belong_to_the_recipient_that_they_name_or_at_their_place() {
        let (a, b, c) = ("Ada@dest.example", "bob@dest.example", "bob@dest.example.org");
        let one = |address: &str, response: &str| (address.to_owned(), Some(response.to_owned()));
        let shared = |address: &str| (address.to_owned(), None);
        // One for each, in the order of the list.
        assert_eq!(singled_out(&[a, b], &["550 x", "550 y"]), [one(a, "550 x"), one(b, "550 y")]);
        // Those of another order name their recipients.
        assert_eq!(
            singled_out(&[a, b], &["550 <bob@Dest.example>", "550 <ada@dest.example>"]),
            [one(a, "550 <ada@dest.example>"), one(b, "550 <bob@Dest.example>"),]
        );
        // Only one recipient bounced.
        assert_eq!(singled_out(&[a, b], &["550 bob@dest.example: unknown"]), [one(b, "550 bob@dest.example: unknown")]);
        assert_eq!(singled_out(&[a, b], &["550 'bob@dest.example' unknown"]), [one(b, "550 'bob@dest.example' unknown")]);
        assert_eq!(
            singled_out(&[a, b, c], &["550 bob@dest.example.org unknown."]),
            [one(c, "550 bob@dest.example.org unknown.")]
        );
        // The second response is that of one of the others.
        assert_eq!(
            singled_out(&[a, b, c], &["550 ada@dest.example", "550 y"]),
            [one(a, "550 ada@dest.example"), shared(b), shared(c)]
        );
        // Nothing shows whose it is.
        assert_eq!(singled_out(&[a, b], &["550 x"]), []);
        assert_eq!(singled_out(&[a, b], &["550 not ada@dest.example but bob@dest.example"]), []);
        assert_eq!(singled_out(&[a, b], &["550 nada@dest.example"]), []);
        assert_eq!(singled_out(&[a, b], &["550 o'ada@dest.example"]), []);
        assert_eq!(singled_out(&[a, b], &["550 x", "550 y", "550 z"]), []);
    }
}
