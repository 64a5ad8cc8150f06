//! Opens and clicks by machines: image proxies, security scanners, other programs. The table `machines.toml` names them by user agent and
//! address; a click within seconds is one as well. What is not recognized counts as a person's.

use std::{net::IpAddr, sync::LazyLock};

use ipnet::IpNet;
use serde::Deserialize;

use crate::event::{Automation, AutomationKind, Detection};

static MACHINES: LazyLock<Machines> = LazyLock::new(|| Machines::parse(include_str!("machines.toml")));

/// The name of a scanner that only its haste gives away.
const UNIDENTIFIED: &str = "unidentified_scanner";

/// A click within this time after the creation of the e-mail, in microseconds: it must be sent, delivered, noticed and read first.
const TOO_SOON_AFTER_CREATION: i64 = 5_000_000;

/// The same after its delivery. Both times are the provider's, but the order of two reports of one second may be wrong.
const TOO_SOON_AFTER_DELIVERY: std::ops::RangeInclusive<i64> = -1_000_000..=3_000_000;

/// An open or a click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Open,
    Click,
}

/// The address of a client; an IPv4 address in the form of IPv6 is read as such.
pub fn client_address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// The machine that opened or clicked, if the table has it. A network is the stronger sign: a user agent is what the client says.
pub fn recognize(action: Action, user_agent: Option<&str>, address: Option<IpAddr>) -> Option<Automation> {
    let in_network = |address| MACHINES.networks.iter().find(|network| network.matches(action, address));
    let by_agent = || {
        let user_agent = user_agent?.trim();
        let lower = user_agent.to_ascii_lowercase();
        MACHINES.agents.iter().find(|agent| agent.matches(action, user_agent, &lower))
    };
    let automation = |by: &str, kind, detected_by| Automation { by: by.to_owned(), detected_by, kind };
    address
        .and_then(in_network)
        .map(|network| automation(&network.by, network.kind, Detection::IpAddress))
        .or_else(|| by_agent().map(|agent| automation(&agent.by, agent.kind, Detection::UserAgent)))
}

/// The scanner behind a click that many microseconds after the creation of the e-mail, if it is too soon for a person.
pub fn after_creation(elapsed: i64) -> Option<Automation> {
    (0..=TOO_SOON_AFTER_CREATION).contains(&elapsed).then(hasty)
}

/// The same after its delivery.
pub fn after_delivery(elapsed: i64) -> Option<Automation> {
    TOO_SOON_AFTER_DELIVERY.contains(&elapsed).then(hasty)
}

fn hasty() -> Automation {
    Automation { by: UNIDENTIFIED.to_owned(), detected_by: Detection::Timing, kind: AutomationKind::Scanner }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machines {
    agents: Vec<Agent>,
    networks: Vec<Network>,
}

/// A machine by its user agent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Agent {
    by: String,
    kind: AutomationKind,
    /// The only action for which it is a sign.
    on: Option<Action>,
    /// The whole user agent.
    #[serde(default)]
    exact: Vec<String>,
    /// Parts of it, in lower case.
    #[serde(default)]
    contains: Vec<String>,
    /// The place where it was read, for the reader of the table.
    #[serde(rename = "source")]
    _source: String,
}

/// A machine by its address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    by: String,
    kind: AutomationKind,
    on: Option<Action>,
    #[serde(deserialize_with = "ranges")]
    ranges: Vec<IpNet>,
    #[serde(rename = "source")]
    _source: String,
}

impl Machines {
    #[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses it")]
    fn parse(toml: &str) -> Self {
        toml::from_str(toml).expect("the compiled-in table of machines")
    }
}

impl Agent {
    fn matches(&self, action: Action, user_agent: &str, lower: &str) -> bool {
        self.on.is_none_or(|on| on == action)
            && (self.exact.iter().any(|exact| exact == user_agent)
                || self.contains.iter().any(|part| lower.contains(part.as_str())))
    }
}

impl Network {
    fn matches(&self, action: Action, address: IpAddr) -> bool {
        self.on.is_none_or(|on| on == action) && self.ranges.iter().any(|range| range.contains(&address))
    }
}

fn ranges<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests;
