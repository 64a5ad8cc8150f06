//! The status of each recipient of an e-mail: a fold over the set of its events, as the row is, but for one address at a time.
//!
//! An event counts for the recipients that it singles out; one that names several and singles out none counts for each of them, as a
//! report about the message. Of two statuses the one with the greater state key counts, except that a final status of an event about this
//! recipient stands against every event about several: that one may concern another recipient.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use strum::AsRefStr;

use super::message::least;
use crate::{
    address,
    event::{EventType, RecipientReport},
    status::{Evidence, Status},
    time::Timestamp,
};

/// The most recipients that are listed. Providers accept at most 50 recipients of an e-mail.
const MAX_RECIPIENTS: usize = 100;

/// An event, as far as the status of a recipient depends on it.
#[derive(Clone, Copy)]
pub(crate) struct RecipientEvent<'e> {
    pub(crate) state_key: &'e [u8],
    pub(crate) event_type: &'e str,
    pub(crate) status: Option<&'e str>,
    pub(crate) provider_status: Option<&'e str>,
    pub(crate) evidence: Option<&'e str>,
    pub(crate) error_code: Option<&'e str>,
    /// Its time, or else that of its receipt.
    pub(crate) at: Timestamp,
    pub(crate) detail: &'e Value,
}

/// The events to which a recipient's status is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, Serialize, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ReportScope {
    /// An event about this recipient.
    Recipient,
    /// Events that name several recipients and do not say which of them they concern. The status is that of the message.
    Message,
}

/// One recipient of a message and its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Recipient {
    /// The normalized address.
    pub address: String,
    pub status: String,
    /// The subject of the report with that status: this recipient, or the message with all of its recipients.
    pub reported_for: ReportScope,
    /// The provider's own word for the status.
    pub provider_status: Option<String>,
    pub status_at: Option<Timestamp>,
    /// The source of a delivery.
    pub evidence: Option<String>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub error_category: Option<String>,
    pub error_permanence: Option<String>,
    /// The response of this recipient's mail system.
    pub diagnostic: Option<String>,
    /// The first open, click and complaint in events about this recipient.
    pub opened_at: Option<Timestamp>,
    pub clicked_at: Option<Timestamp>,
    pub complained_at: Option<Timestamp>,
}

/// The recipients in these events, in the order of their addresses. `addresses` has further ones, such as those in the message's row.
pub(crate) fn recipients(events: &[RecipientEvent<'_>], addresses: Option<&str>) -> Vec<Recipient> {
    let mut lists = AddressLists::default();
    let mut found: BTreeMap<String, State> = BTreeMap::new();
    let mut unaddressed = Vec::new();
    if let Some(listed) = addresses {
        lists.get(listed).iter().for_each(|(key, address)| found.entry(key.clone()).or_default().name(address));
    }
    for event in events {
        let listed =
            event.detail.get("recipient").and_then(Value::as_str).map(|text| lists.get(text).to_vec()).unwrap_or_default();
        let reports = reports(event.detail);
        for (key, address) in &listed {
            found.entry(key.clone()).or_default().name(address);
        }
        for report in &reports {
            let state = found.entry(key(&report.address)).or_default();
            state.name(&report.address);
            state.count(event, Some(report), !report.is_shared);
        }
        match listed.as_slice() {
            _ if !reports.is_empty() => {}
            [] => unaddressed.push(event),
            [(key, _)] => found.entry(key.clone()).or_default().count(event, None, true),
            several => several.iter().for_each(|(key, _)| found.entry(key.clone()).or_default().count(event, None, false)),
        }
    }
    let is_only = found.len() == 1;
    for state in found.values_mut() {
        for event in &unaddressed {
            state.count(event, None, is_only);
        }
    }
    found.into_values().take(MAX_RECIPIENTS).map(State::recipient).collect()
}

/// The addresses in lists, each with its key. Most events of a message have the same list.
#[derive(Default)]
struct AddressLists<'e>(BTreeMap<&'e str, Vec<(String, String)>>);

impl<'e> AddressLists<'e> {
    fn get(&mut self, list: &'e str) -> &[(String, String)] {
        self.0.entry(list).or_insert_with(|| {
            address::segments(list).map(str::trim).filter(|one| !one.is_empty()).map(|one| (key(one), one.to_owned())).collect()
        })
    }
}

/// The form of an address in which all of its spellings are equal.
fn key(address: &str) -> String {
    address::lookup_keys(address).into_iter().next().unwrap_or_else(|| address.to_lowercase())
}

/// The reports of an event about single recipients. One that was erased has no address.
fn reports(detail: &Value) -> Vec<RecipientReport> {
    let reports = detail.get("recipients").cloned().and_then(|reports| serde_json::from_value(reports).ok());
    let mut reports: Vec<RecipientReport> = reports.unwrap_or_default();
    reports.retain(|report| !report.address.is_empty());
    reports
}

/// The reports about one recipient in the events counted so far.
#[derive(Default)]
struct State {
    address: String,
    status: Option<Reported>,
    own_evidence: Option<Evidence>,
    shared_evidence: Option<Evidence>,
    opened_at: Option<Timestamp>,
    clicked_at: Option<Timestamp>,
    complained_at: Option<Timestamp>,
}

/// A reported status. The greatest one counts.
struct Reported {
    /// True for a final status of an event about this recipient.
    is_decisive: bool,
    state_key: Vec<u8>,
    is_own: bool,
    recipient: Recipient,
}

impl State {
    /// Of several spellings of the address, the greatest one in byte order is shown.
    fn name(&mut self, address: &str) {
        if address > self.address.as_str() {
            address.clone_into(&mut self.address);
        }
    }

    fn count(&mut self, event: &RecipientEvent<'_>, report: Option<&RecipientReport>, is_own: bool) {
        let status = event.status.unwrap_or(Status::Registered.as_ref());
        let is_decisive = is_own && status.parse().is_ok_and(Status::is_final);
        let rank = (is_decisive, event.state_key);
        if self.status.as_ref().is_none_or(|existing| rank > (existing.is_decisive, existing.state_key.as_slice())) {
            let recipient = reported(event, status, report);
            self.status = Some(Reported { is_decisive, state_key: event.state_key.to_vec(), is_own, recipient });
        }
        let evidence = event.evidence.and_then(|grade| grade.parse().ok());
        let known = if is_own { &mut self.own_evidence } else { &mut self.shared_evidence };
        *known = evidence.max(*known);
        let at_if = |event_type: EventType| (is_own && event.event_type == event_type.as_ref()).then_some(event.at);
        self.opened_at = least(self.opened_at, at_if(EventType::MessageOpened));
        self.clicked_at = least(self.clicked_at, at_if(EventType::MessageClicked));
        self.complained_at = least(self.complained_at, at_if(EventType::MessageComplained));
    }

    fn recipient(self) -> Recipient {
        let Self { address, opened_at, clicked_at, complained_at, .. } = self;
        let is_own = self.status.as_ref().is_some_and(|reported| reported.is_own);
        let evidence = if is_own { self.own_evidence } else { self.own_evidence.max(self.shared_evidence) };
        let reported = self.status.map_or_else(unreported, |reported| reported.recipient);
        Recipient {
            address,
            reported_for: if is_own { ReportScope::Recipient } else { ReportScope::Message },
            evidence: evidence.map(|grade| grade.as_ref().to_owned()),
            // Responses of an event about several recipients are not those of one.
            diagnostic: reported.diagnostic.filter(|_| is_own),
            opened_at,
            clicked_at,
            complained_at,
            status: reported.status,
            provider_status: reported.provider_status,
            status_at: reported.status_at,
            error_code: reported.error_code,
            error_message: reported.error_message,
            error_category: reported.error_category,
            error_permanence: reported.error_permanence,
        }
    }
}

/// The columns of a recipient that one event decides.
fn reported(event: &RecipientEvent<'_>, status: &str, report: Option<&RecipientReport>) -> Recipient {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let detail = |name: &str| owned(event.detail.get(name).and_then(Value::as_str));
    Recipient {
        status: status.to_owned(),
        provider_status: owned(event.provider_status),
        status_at: Some(event.at),
        error_code: owned(event.error_code),
        error_message: detail("error_message"),
        error_category: report
            .and_then(|report| report.error_category)
            .map(|category| category.as_ref().to_owned())
            .or_else(|| detail("error_category")),
        error_permanence: report
            .and_then(|report| report.error_permanence)
            .map(|permanence| permanence.as_ref().to_owned())
            .or_else(|| detail("error_permanence")),
        diagnostic: report.map_or_else(|| detail("error_diagnostic"), |report| report.diagnostic.clone()),
        ..unreported()
    }
}

/// A recipient of which no event has reported a status.
fn unreported() -> Recipient {
    Recipient {
        address: String::new(),
        status: Status::Registered.as_ref().to_owned(),
        reported_for: ReportScope::Message,
        provider_status: None,
        status_at: None,
        evidence: None,
        error_code: None,
        error_message: None,
        error_category: None,
        error_permanence: None,
        diagnostic: None,
        opened_at: None,
        clicked_at: None,
        complained_at: None,
    }
}

#[cfg(test)]
mod tests;
