//! The meaning of each error category, and the next step.

use crate::status::ErrorCategory;

/// The advice for one error category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub meaning: &'static str,
    pub next: &'static str,
}

/// Looks up the advice for a category.
pub(crate) fn advice(category: ErrorCategory) -> Advice {
    let known = ADVICE.iter().find(|(known, ..)| *known == category);
    let (meaning, next) = known.map_or(("", ""), |(_, meaning, next)| (*meaning, *next));
    Advice { meaning, next }
}

/// Category, meaning, next step.
const ADVICE: [(ErrorCategory, &str, &str); 19] = [
    (
        ErrorCategory::InvalidRecipient,
        "no such number or address, or one that cannot receive this kind of message",
        "Correct or remove the recipient; a retry fails again.",
    ),
    (
        ErrorCategory::Unreachable,
        "the device is off, out of coverage or busy, or the mail server does not answer",
        "Retry later; if it fails for days, treat the recipient as invalid.",
    ),
    (
        ErrorCategory::OptedOut,
        "the recipient unsubscribed from this sender",
        "Do not send again until the recipient writes START or asks for it.",
    ),
    (
        ErrorCategory::RecipientBlocked,
        "the recipient or their carrier blocks this sender",
        "Do not send again from this sender; contact the recipient in another way.",
    ),
    (
        ErrorCategory::Suppressed,
        "the address is on the provider's suppression list after a bounce or a complaint",
        "Find the cause; remove it from the list at the provider only if the cause is gone.",
    ),
    (
        ErrorCategory::SpamFiltered,
        "it was filtered as spam",
        "Check the content, links, sending rate, sender registration and, for e-mail, blocklists and the domain's reputation; then ask the provider.",
    ),
    (
        ErrorCategory::ContentRejected,
        "it was rejected for its content, size or media",
        "Change the message; an unchanged retry fails again.",
    ),
    (
        ErrorCategory::SenderNotAllowed,
        "the sender is not registered, not verified, or not allowed for this destination",
        "Register the sender (10DLC, toll-free verification, alphanumeric id, WhatsApp or RCS sender) or verify the domain (SPF, DKIM, DMARC), or use another one.",
    ),
    (
        ErrorCategory::Policy,
        "it is against the rules of the channel, the country or the receiving mail server",
        "Look up the rule of the code or in the diagnostic: often a missing template, a closed conversation window or, for e-mail, a filter of the recipient's server. The recipient is valid.",
    ),
    (
        ErrorCategory::Unroutable,
        "there is no route to this number from this sender",
        "Check the number and whether the account may send to its network; ask the provider about the route.",
    ),
    (
        ErrorCategory::RegionNotEnabled,
        "sending to that country is not enabled for the account",
        "Enable the country in the provider's console if you intend to send there.",
    ),
    (
        ErrorCategory::CarrierError,
        "a fault at the carrier or the receiving mail system",
        "Retry; if many messages of one carrier fail, check the provider's status page.",
    ),
    (
        ErrorCategory::ProviderError,
        "a fault at the provider",
        "Retry; check the provider's status page, and quote the external id to their support.",
    ),
    (ErrorCategory::RateLimited, "over the rate limit of the sender or account", "Retry at a lower rate."),
    (ErrorCategory::Funds, "no credit", "Top up the account; for a prepaid recipient, retry later."),
    (
        ErrorCategory::Account,
        "the account is suspended, restricted or misconfigured",
        "Check the provider's console and the request that sent it: a retry fails until this is fixed.",
    ),
    (ErrorCategory::MailboxFull, "the mailbox is full", "Retry in a few days."),
    (
        ErrorCategory::Expired,
        "its validity period ended before it could be delivered",
        "Retry if it is still relevant, or with a longer validity period.",
    ),
    (
        ErrorCategory::Unknown,
        "the provider sent no code, or an unknown one",
        "Look up the code in the provider's documentation, and report it so that it gets a category.",
    ),
];

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn every_category_has_advice() {
        for category in ErrorCategory::VARIANTS {
            let Advice { meaning, next } = advice(*category);
            assert!(!meaning.is_empty() && next.ends_with('.'), "{category:?}");
        }
    }
}
