//! What a category of error means, and what to do next.

use crate::status::ErrorCategory;

/// An error in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it means.
    pub meaning: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// The words for a category.
pub fn of(category: ErrorCategory) -> Advice {
    let known = ADVICE.iter().find(|(known, ..)| *known == category);
    let (meaning, next) = known.map_or(("", ""), |(_, meaning, next)| (*meaning, *next));
    Advice { meaning, next }
}

/// Category, meaning, what to do next.
const ADVICE: [(ErrorCategory, &str, &str); 19] = [
    (
        ErrorCategory::InvalidRecipient,
        "no such number or address, or one that cannot receive this kind of message",
        "Correct or remove the recipient; sending again changes nothing.",
    ),
    (
        ErrorCategory::Unreachable,
        "the device is off, out of coverage or busy",
        "Send again later; if it lasts for days, treat the number as dead.",
    ),
    (
        ErrorCategory::OptedOut,
        "the recipient unsubscribed from this sender",
        "Do not send again until the recipient writes START or asks for it.",
    ),
    (
        ErrorCategory::RecipientBlocked,
        "the recipient or their carrier blocks this sender",
        "Do not send again from this sender; ask the recipient by another way.",
    ),
    (
        ErrorCategory::Suppressed,
        "the address is on the provider's suppression list, after a bounce or a complaint",
        "Find out why it was put there; remove it at the provider only if the cause is gone.",
    ),
    (
        ErrorCategory::SpamFiltered,
        "it was taken for spam on the way",
        "Look at the content, links and sending rate, and at the registration of the sender; then ask the provider.",
    ),
    (
        ErrorCategory::ContentRejected,
        "it was refused for its content, size or media",
        "Change the message; sending it again unchanged fails again.",
    ),
    (
        ErrorCategory::SenderNotAllowed,
        "the sender is not registered or not allowed for this destination",
        "Register the sender (10DLC, toll-free verification, alphanumeric id) or send from another.",
    ),
    (
        ErrorCategory::Policy,
        "it is against the rules of the channel",
        "Read the rule that the code names: often a template, or a conversation window that is closed.",
    ),
    (
        ErrorCategory::Unroutable,
        "there is no route to this number from this sender",
        "Check the number and whether the account may send to its network; ask the provider about the route.",
    ),
    (
        ErrorCategory::RegionNotEnabled,
        "sending to that country is switched off in the account",
        "Switch the country on in the provider's console, if it is one you mean to reach.",
    ),
    (
        ErrorCategory::CarrierError,
        "trouble at the carrier",
        "Send again; if it is many messages of one carrier, look at the provider's status page.",
    ),
    (
        ErrorCategory::ProviderError,
        "trouble at the provider",
        "Send again; look at the provider's status page and give them the external id.",
    ),
    (ErrorCategory::RateLimited, "too much at once for this sender or account", "Send more slowly, then again."),
    (ErrorCategory::Funds, "no credit", "Top up the account; for a prepaid recipient, try again later."),
    (
        ErrorCategory::Account,
        "the account is suspended or misconfigured",
        "Look into the provider's console: nothing will be sent until it is mended.",
    ),
    (ErrorCategory::MailboxFull, "the mailbox is full", "Send again in a few days."),
    (
        ErrorCategory::Expired,
        "its validity ran out before it could be delivered",
        "Send again if it still matters, or with a longer validity.",
    ),
    (
        ErrorCategory::Unknown,
        "the provider gave a code that is in no table, or none",
        "Look the code up in the provider's documentation, and report it so that it gets a category.",
    ),
];

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn every_category_has_advice() {
        for category in ErrorCategory::VARIANTS {
            let Advice { meaning, next } = of(*category);
            assert!(!meaning.is_empty() && next.ends_with('.'), "{category:?}");
        }
    }
}
