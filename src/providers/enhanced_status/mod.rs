//! The cause of a mail system's refusal, read from its text.
//!
//! An enhanced status code (RFC 3463) that names a cause decides: `class.subject.detail`, where the class says if the refusal is for
//! good. Of several, one that follows a reply code comes before any other, and then the first one. A code such as `5.0.0`
//! names no cause, and many texts have no code; then words decide (`user unknown`), and then the reply code (RFC 5321). Of a refusal for
//! policy (`x.7.0`, `x.7.1`), words distinguish spam, authentication, content and rate. Microsoft refuses unknown recipients with `5.4.1`,
//! which is the code of hosts that do not respond; words distinguish the two
//! (learn.microsoft.com/exchange/mail-flow-best-practices/use-directory-based-edge-blocking, read 2026-11-28).
//!
//! The tables are data: `tables.toml`.

mod scan;

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use self::scan::{Codes, EnhancedCode};
use crate::status::{ErrorCategory, Permanence};

/// The length that is read. A line of a reply has at most 512 bytes (RFC 5321, 4.5.3.1.5).
const MAX_TEXT: usize = 4 << 10;

/// The subject of security and policy.
const POLICY: u16 = 7;

/// Subject and detail of a host that does not respond.
const NO_ANSWER: (u16, u16) = (4, 1);

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::parse);

/// The cause that a text states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) category: ErrorCategory,
    pub(super) permanence: Permanence,
    /// True if an enhanced status code names the cause.
    pub(super) has_code: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    /// By `<subject>.<detail>`.
    codes: BTreeMap<String, Meaning>,
    replies: BTreeMap<String, ErrorCategory>,
    words: Vec<Words>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meaning {
    category: ErrorCategory,
    permanence: Option<Permanence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    category: ErrorCategory,
    permanence: Option<Permanence>,
    any: Vec<String>,
}

impl Tables {
    #[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses it")]
    fn parse() -> Self {
        toml::from_str(include_str!("tables.toml")).expect("the compiled-in tables of status codes")
    }

    /// The meaning of a code, or of its subject, if it names a cause.
    fn cause(&self, EnhancedCode { subject, detail, .. }: EnhancedCode) -> Option<&Meaning> {
        let meaning = self.codes.get(&format!("{subject}.{detail}")).or_else(|| self.codes.get(&format!("{subject}.0")));
        meaning.filter(|meaning| meaning.category != ErrorCategory::Unknown)
    }

    /// The first entry with words that occur in the text and a category that is wanted.
    fn words(&self, text: &str, is_wanted: fn(ErrorCategory) -> bool) -> Option<&Words> {
        let text = scan::plain(text);
        let occurs = |phrase: &String| text.contains(&format!(" {phrase} "));
        self.words.iter().filter(|entry| is_wanted(entry.category)).find(|entry| entry.any.iter().any(occurs))
    }
}

/// The cause that a text states, if it has a status code or a known word.
pub(super) fn explain(text: &str) -> Option<Reading> {
    let tables = &*TABLES;
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text);
    let Codes { enhanced, reply } =
        scan::codes(text, |code| tables.cause(code).is_some(), |reply| tables.replies.contains_key(reply));
    let class = enhanced.map(|code| code.class).or_else(|| reply?.chars().next());
    let by_class = class.map(|class| if class == '4' { Permanence::Temporary } else { Permanence::Permanent });
    if let Some((code, cause)) = enhanced.and_then(|code| Some((code, tables.cause(code)?))) {
        let refined = match (code.subject, code.detail) {
            (POLICY, 0 | 1) => tables.words(text, can_refine_policy),
            NO_ANSWER => tables.words(text, |category| category == ErrorCategory::InvalidRecipient),
            _ => None,
        };
        let category = refined.map_or(cause.category, |words| words.category);
        return Some(Reading {
            category,
            permanence: cause.permanence.or(by_class).unwrap_or(Permanence::Unknown),
            has_code: true,
        });
    }
    let words = tables.words(text, |_| true);
    let by_reply = reply.and_then(|reply| tables.replies.get(reply)).copied();
    let category = words.map(|words| words.category).or(by_reply).or(enhanced.map(|_| ErrorCategory::Unknown))?;
    let permanence = by_class.or_else(|| words?.permanence).unwrap_or(Permanence::Unknown);
    Some(Reading { category, permanence, has_code: false })
}

/// The cause that the texts of several recipients state together: of those with a code, else of all, the first one that is for good, else the
/// first one.
pub(super) fn explain_worst(texts: &[&str]) -> Option<Reading> {
    let rank = |reading: &Reading| (reading.has_code, reading.permanence == Permanence::Permanent);
    texts.iter().filter_map(|text| explain(text)).reduce(|worst, next| if rank(&next) > rank(&worst) { next } else { worst })
}

/// Categories that words can give to a refusal for policy. Its recipient exists.
fn can_refine_policy(category: ErrorCategory) -> bool {
    use ErrorCategory::{ContentRejected, RateLimited, SenderNotAllowed, SpamFiltered};
    matches!(category, ContentRejected | RateLimited | SenderNotAllowed | SpamFiltered)
}

#[cfg(test)]
mod tests {
    use super::{
        ErrorCategory::{
            Account, CarrierError, ContentRejected, Expired, InvalidRecipient, MailboxFull, Policy, RateLimited,
            SenderNotAllowed, SpamFiltered, Suppressed, Unknown, Unreachable, Unroutable,
        },
        Permanence::{Permanent, Temporary},
        *,
    };

    /// Texts of mail systems, with the cause that an enhanced code names.
    const BY_CODE: &[(&str, ErrorCategory, Permanence)] = &[
        ("smtp; 550 5.1.1 user unknown", InvalidRecipient, Permanent),
        ("550-5.1.1 The email account that you tried to reach does not exist. 550-5.1.1 Please try", InvalidRecipient, Permanent),
        ("#< #5.1.1 smtp; 550 #5.1.1 RESOLVER.ADR.RecipNotFound>", InvalidRecipient, Permanent),
        ("556 5.1.10 Recipient address has null MX", InvalidRecipient, Permanent),
        ("5.1.99", InvalidRecipient, Permanent),
        ("smtp; 452 4.2.2 The email account that you tried to reach is over quota", MailboxFull, Temporary),
        ("smtp;552 5.2.2 mailbox full", MailboxFull, Temporary),
        ("550 5.2.1 The email account that you tried to reach is disabled", InvalidRecipient, Permanent),
        ("552 5.3.4 Message size exceeds fixed limit", ContentRejected, Permanent),
        ("smtp; 421 4.4.2 connection timed out", Unreachable, Temporary),
        (
            "550 5.4.1 Recipient address rejected: Access denied. [AM0EUR02FT004.mail.protection.outlook.com]",
            InvalidRecipient,
            Permanent,
        ),
        ("5.4.1 no answer from host", Unreachable, Permanent),
        ("Status: 5.4.4", Unroutable, Permanent),
        ("554 5.4.7 Delivery expired (message too old)", Expired, Permanent),
        ("452 4.5.3 Too many recipients", RateLimited, Temporary),
        ("550 5.6.0 Invalid header", ContentRejected, Permanent),
        ("550 5.7.1 Delivery not authorized, message refused", Policy, Permanent),
        ("550 5.7.1 user unknown", Policy, Permanent),
        ("550 5.7.999 refused", Policy, Permanent),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org", SpamFiltered, Permanent),
        ("550-5.7.1 [192.0.2.7] Our system has detected that this message is likely unsolicited mail.", SpamFiltered, Permanent),
        ("550-5.7.26 This mail is unauthenticated, which poses a security risk", SenderNotAllowed, Permanent),
        ("421-4.7.28 Gmail has detected an unusual rate of unsolicited mail", RateLimited, Temporary),
        ("550 5.7.509 Access denied, sending domain acme.example does not pass DMARC verification", SenderNotAllowed, Permanent),
        ("535 5.7.8 Authentication credentials invalid", Account, Permanent),
        // A specific code before a general one, one after a reply code before any other.
        ("5.0.0 (undefined status) 550 5.1.1 no such user", InvalidRecipient, Permanent),
        ("5.1.0 - Unknown address error 550-'5.7.1 refused'", Policy, Permanent),
        ("relay 5.1.1: smtp; 550 5.7.1 refused", Policy, Permanent),
        ("451 4.7.1 Greylisted, 5.1.1 otherwise", RateLimited, Temporary),
    ];

    /// Texts without a code that names a cause.
    const BY_WORDS: &[(&str, ErrorCategory, Permanence)] = &[
        ("550 user unknown", InvalidRecipient, Permanent),
        ("550 Requested action not taken: mailbox unavailable", InvalidRecipient, Permanent),
        ("smtp;550 5.0.0 no such user here", InvalidRecipient, Permanent),
        ("smtp; 550 Message rejected as spam", SpamFiltered, Permanent),
        ("552 exceeded storage allocation", MailboxFull, Permanent),
        ("552 message size exceeds fixed maximum message size", ContentRejected, Permanent),
        ("554 Transaction failed", Policy, Permanent),
        ("421 Service not available, closing transmission channel", Unreachable, Temporary),
        ("451 Requested action aborted: local error in processing", CarrierError, Temporary),
        ("The address is on the suppression list", Suppressed, Permanent),
        ("domain_not_verified", SenderNotAllowed, Permanent),
        ("blocked", Policy, Permanence::Unknown),
        ("5.0.0", Unknown, Permanent),
        ("4.5.0", Unknown, Temporary),
    ];

    #[test]
    fn texts_are_read_by_code_then_by_words() {
        let cases = BY_CODE.iter().map(|case| (case, true)).chain(BY_WORDS.iter().map(|case| (case, false)));
        for ((text, category, permanence), has_code) in cases {
            let expected = Reading { category: *category, permanence: *permanence, has_code };
            assert_eq!(explain(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_code() {
        for text in [
            "",
            "250 2.1.5 OK",
            "host 10.5.7.1 said no",
            "host 5.7.1.2",
            "Postfix/5.1.1",
            "Exim 4.4.7",
            "version 5.1.1",
            "v5.1.1",
            "5.1.1.list.example",
            "5.12.2024",
            "5.94.2",
            "5.1",
            "5.1.1000",
            "6.1.1",
            "after 550 attempts",
            "port 2550",
            "5550 messages",
            "５.１.１",
        ] {
            assert_eq!(explain(text), None, "{text}");
        }
    }

    #[test]
    fn worst_of_several_recipients_decides() {
        let worst = |texts: &[&str]| explain_worst(texts).map(|reading| reading.category);
        assert_eq!(worst(&["452 4.2.2 full", "550 5.1.1 unknown", "550 5.7.1 no"]), Some(InvalidRecipient));
        assert_eq!(worst(&["550 user unknown", "452 4.2.2 full"]), Some(MailboxFull));
        assert_eq!(worst(&["452 4.2.2 full", "421 4.4.1 no answer"]), Some(MailboxFull));
        assert_eq!(worst(&["", "hello"]), None);
    }

    #[test]
    fn text_of_any_length_is_read_in_part() {
        let long = "5.7.1 ".repeat(100_000);
        assert_eq!(explain(&long).map(|reading| reading.category), Some(Policy));
        assert_eq!(explain(&format!("{}5.1.1", "é ".repeat(MAX_TEXT))), None);
    }

    #[test]
    fn tables_are_well_formed() {
        let Tables { codes, replies, words } = Tables::parse();
        for (key, meaning) in &codes {
            let (subject, detail) = key.split_once('.').expect("subject and detail");
            assert!(codes.contains_key(&format!("{subject}.0")), "{key}");
            let parsed = explain(&format!("5.{subject}.{detail}")).expect("a code");
            assert_eq!(parsed.category, meaning.category, "{key}");
            assert!(subject != "7" || meaning.category != InvalidRecipient, "{key}");
        }
        for (reply, category) in &replies {
            assert_eq!(explain(reply).map(|reading| reading.category), Some(*category), "{reply}");
        }
        for phrase in words.iter().flat_map(|entry| &entry.any) {
            assert_eq!(scan::plain(phrase), format!(" {phrase} "), "{phrase}");
        }
    }
}
