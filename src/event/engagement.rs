//! Opens and clicks: the client that caused one, and the machine, if it was one.

use serde::{Deserialize, Serialize};
use strum::AsRefStr;

/// The client of an open or a click. Its address and user agent are personal data: they expire with the raw body.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Engagement {
    /// The machine that caused it; absent if nothing shows that it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation: Option<Automation>,
    /// The address of the client, unless it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// The link that was clicked, unless it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The user agent of the client, unless it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// A machine that opened or clicked, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Automation {
    /// Its name, such as `apple_mail_privacy_protection` or `barracuda`.
    pub by: String,
    pub detected_by: Detection,
    pub kind: AutomationKind,
}

/// The purpose of a machine that opens or clicks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, Serialize, Deserialize, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AutomationKind {
    /// Fetches images before anyone has opened the e-mail, and whether or not anyone will.
    Prefetch,
    /// Fetches images for a mail client, mostly when the e-mail is opened.
    Proxy,
    /// Checks links for threats.
    Scanner,
    /// Any other program, such as one that makes previews of links.
    Bot,
}

/// The property that shows a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsRefStr, Serialize, Deserialize, utoipa::ToSchema)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    UserAgent,
    IpAddress,
    /// A click too soon for a person.
    Timing,
}

crate::secret::opaque!(Engagement);
