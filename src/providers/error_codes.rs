//! A provider's error codes as data: `errors.toml` in its folder.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    event::DeliveryError,
    status::{ErrorCategory, Permanence},
    text,
};

/// The meaning of an error code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The vendor's name of the error.
    pub message: String,
    pub category: ErrorCategory,
    pub permanence: Permanence,
}

/// A provider's table of codes, parsed on first use.
pub type LazyTable = LazyLock<ErrorTable>;

/// A provider's table of codes.
#[derive(Debug, Deserialize)]
pub struct ErrorTable(BTreeMap<String, Meaning>);

impl ErrorTable {
    /// Parses a table that is compiled in.
    ///
    /// # Panics
    /// If the table cannot be parsed; a test parses every one.
    #[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses every table")]
    pub fn parse(toml: &str) -> Self {
        toml::from_str(toml).expect("a compiled-in table of error codes")
    }

    /// Returns true if the table has that key.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The error for a code, looked up by the first of `keys` that is in the table. The code itself is not changed; one that is in no table
    /// is `unknown`.
    pub fn explain(&self, code: Option<&str>, keys: &[&str], provider_text: Option<&str>) -> DeliveryError {
        let meaning = keys.iter().find_map(|key| self.0.get(*key));
        let message = provider_text.and_then(text::present).or_else(|| meaning.map(|meaning| meaning.message.clone()));
        DeliveryError {
            code: code.and_then(text::present),
            message,
            diagnostic: None,
            category: meaning.map_or(ErrorCategory::Unknown, |meaning| meaning.category),
            permanence: meaning.map_or(Permanence::Unknown, |meaning| meaning.permanence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ErrorCategory::{
            Account, CarrierError, ContentRejected, Expired, Funds, InvalidRecipient, MailboxFull, OptedOut, Policy,
            ProviderError, RateLimited, RecipientBlocked, RegionNotEnabled, SenderNotAllowed, SpamFiltered, Suppressed, Unknown,
            Unreachable, Unroutable,
        },
        *,
    };

    const TABLES: [(&str, &str); 5] = [
        ("mifumo", include_str!("mifumo/errors.toml")),
        ("resend", include_str!("resend/errors.toml")),
        ("signalwire", include_str!("signalwire/errors.toml")),
        ("twilio", include_str!("twilio/errors.toml")),
        ("vonage", include_str!("vonage/errors.toml")),
    ];

    /// Codes whose vendor states no cause.
    const WITHOUT_CAUSE: [(&str, &str); 7] = [
        ("resend", "Undetermined"),
        ("signalwire", "30008"),
        ("signalwire", "unknown_error"),
        ("twilio", "30008"),
        ("vonage", "1"),
        ("vonage", "99"),
        ("vonage", "1330"),
    ];

    /// The codes that Twilio lists for messages: docs/messaging/features "Twilio Health Score for Messaging", docs/messaging "Message
    /// resource", and the codes of the table of WhatsApp's errors (read 2026-11-28).
    const OF_TWILIO_MESSAGES: &str = "11200 11205 11210 11215 11220 11237 11751 12300 14101 14103 20410 20422 20429 20500 21211 21212 21401 \
        21408 21602 21603 21606 21608 21609 21610 21611 21612 21614 21617 21619 21620 21621 21624 21627 21654 21658 21701 21703 21704 \
        21910 30001 30002 30003 30004 30005 30006 30007 30008 30009 30010 30011 30015 30017 30018 30019 30022 30023 30024 30027 30032 \
        30033 30034 30035 30036 30037 30038 30039 30040 30041 30042 30044 30101 30102 30103 30107 30410 30450 30453 30454 30500 35111 \
        35114 35118 60005 63001 63002 63003 63005 63006 63007 63008 63009 63010 63012 63013 63014 63015 63016 63017 63018 63019 63020 \
        63021 63022 63023 63024 63025 63026 63027 63028 63029 63030 63031 63032 63033 63034 63035 63036 63038 63040 63041 63042 63049 \
        63051";

    fn is_possible(category: ErrorCategory, permanence: Permanence) -> bool {
        match category {
            OptedOut | RecipientBlocked | Suppressed | RegionNotEnabled | InvalidRecipient | Unroutable => {
                permanence == Permanence::Permanent
            }
            Unreachable | RateLimited | Funds | ProviderError | Expired => permanence == Permanence::Temporary,
            ContentRejected | SenderNotAllowed | Policy | Account | CarrierError | MailboxFull => {
                permanence != Permanence::Unknown
            }
            SpamFiltered => true,
            Unknown => permanence == Permanence::Unknown,
        }
    }

    #[test]
    fn every_code_has_a_consistent_category() {
        for (provider, toml) in TABLES {
            for (code, meaning) in &ErrorTable::parse(toml).0 {
                let Meaning { message, category, permanence } = meaning;
                let states_no_cause = WITHOUT_CAUSE.contains(&(provider, code));
                assert_eq!(*category == Unknown, states_no_cause, "{provider} {code}");
                assert!(is_possible(*category, *permanence), "{provider} {code}: {category:?}, {permanence:?}");
                assert!(!message.is_empty() && message.trim() == message, "{provider} {code}");
            }
        }
    }

    #[test]
    fn every_code_of_a_twilio_message_is_known() {
        let twilio = ErrorTable::parse(TABLES[3].1);
        let missing: Vec<&str> = OF_TWILIO_MESSAGES.split_whitespace().filter(|code| !twilio.has(code)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
