//! Addresses of people: phone numbers, e-mail addresses, ids of messaging services.
//!
//! A row has an address as the provider reported it, without prefix and display name. Everything that looks for a person compares the
//! [`lookup_keys`] of addresses, which are equal for all notations of one address.

mod email;
mod folding;
mod list;
mod number;
mod occurrence;
mod prefix;
mod typed;

pub use self::{
    email::{email, emails, unicode_form},
    folding::{fold, plain_digits},
    list::segments,
    number::{international, phone},
    occurrence::is_contained,
    prefix::channel,
    typed::typed_keys,
};

/// The longest address that can be looked up, in bytes.
const MAX_KEY: usize = 320;

/// The lookup keys of the addresses in the text of a row: numbers as `+` and digits, e-mail addresses in lower case with the ASCII form of
/// their domain, anything else unchanged. What is longer than any address has none, and neither has a group without addresses.
pub fn lookup_keys(text: &str) -> Vec<String> {
    let is_short = |key: &String| (1..=MAX_KEY).contains(&key.len());
    if let Some(key) = number::plain_key(text).or_else(|| email::plain_key(text)) {
        return Some(key).filter(is_short).into_iter().collect();
    }
    let text = folding::plain(text);
    let text = text.trim();
    if let Some(key) = number::key(text) {
        return Some(key).filter(is_short).into_iter().collect();
    }
    let mut unprefixed = text;
    while let (Some(_), rest) = prefix::split_channel(unprefixed) {
        unprefixed = rest.trim();
    }
    if !unprefixed.contains('@') {
        let key = (!list::is_empty(unprefixed)).then(|| unprefixed.to_owned());
        return key.filter(is_short).into_iter().collect();
    }
    if let Some(uri) = prefix::sip(unprefixed) {
        // A telephone's address in a SIP network (RFC 3261, 19.1.6) is found as its number as well.
        let number = uri.split_once('@').and_then(|(user, _)| number::key(user).filter(|_| user.starts_with('+')));
        return email::keys(uri).into_iter().chain(number).filter(is_short).collect();
    }
    let mut keys = email::keys(unprefixed);
    if keys.is_empty() && list::is_word(unprefixed) {
        // A name in a messaging service, such as `@acme`.
        keys.push(unprefixed.to_owned());
    }
    keys.retain(is_short);
    keys
}

/// An address as rows have it: e-mail addresses, separated by `, `, if `is_email`, otherwise a number.
pub fn reported(text: &str, is_email: bool) -> Option<String> {
    if is_email { crate::text::present(&emails(text).join(", ")) } else { international(text) }
}

/// Returns true if the addresses of one text are among those of the other.
pub fn have_same_recipients(one: &[String], other: &[String]) -> bool {
    let includes = |all: &[String], some: &[String]| !some.is_empty() && some.iter().all(|key| all.contains(key));
    includes(one, other) || includes(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notations of one address, the first of which is its key.
    const SAME: &[&[&str]] = &[
        &[
            "+15558675310",
            "15558675310",
            "0015558675310",
            " 15558675310",
            "+1 (555) 867-5310",
            "1-555-867-5310",
            "1.555.867.5310",
            "+1/555/8675310",
            "whatsapp:+15558675310",
            "WhatsApp: 15558675310",
            "RCS:+15558675310",
            "Messenger:+15558675310",
            "tel:+1-555-867-5310",
            "TEL:+1-555-867-5310;ext=3",
            "sms:+15558675310",
            "viber:+15558675310",
            "+１５５５８６７５３１０",
            "＋１（５５５）８６７－５３１０",
            "\u{202a}+1\u{a0}555\u{2011}867\u{2013}5310\u{202c}",
            "\u{200b}+15558675310\u{feff}",
            "+١٥٥٥٨٦٧٥٣١٠",
        ],
        &["+447860123456", "+44 (0)7860 123456", "0044 (0) 7860 123456", "447860123456"],
        &["07860123456", "07860 123456", "(07860) 123-456", "+07860123456", " 07860123456", "whatsapp:07860123456"],
        &["0123456789", "+0123456789"],
        &["12345", " 12345 "],
        &["ACME", "rcs:ACME", "RCS:ACME"],
        &["24-7", "whatsapp:24-7"],
        &["@acme", "messenger:@acme"],
        &["US.13491208655302741918", "whatsapp:US.13491208655302741918"],
        &[
            "ada@x.example",
            "ADA@X.Example",
            "Ada Lovelace <ADA@x.example>",
            "\"Lovelace, Ada\" <ada@x.example>",
            "\"Acme\" ada@x.example",
            "\"<b@y.example>\" <ada@x.example>",
            "b@y.example <ada@x.example>",
            "=?utf-8?Q?=C3=89l=C3=A9onore,_B?= <ada@x.example>",
            "<@a.example,@b.example:ada@x.example>",
            "< ada@x.example >",
            "ada@x.example.",
            "mailto:Ada@x.example?subject=Hi",
            "<MAILTO:ada@x.example>",
            "Ada [mailto:ada@x.example]",
            "Ada <mailto:ada@x.example>",
            "'ada@x.example' <'ada@x.example'>",
            "'ada@x.example'",
            "<<ada@x.example>>",
            "To: ada@x.example",
            "ada@x.example,",
            "(comment, with a@b) ada@x.example (Ada)",
            "\"ada\"@x.example",
            "\"\\a\\d\\a\"@x.example",
            "Team: ada@x.example;",
            "ada@x.example;",
            "<ada@x.example",
            "sip:Ada@X.example",
            "sips:ada@x.example:5061;transport=tls",
            "<sip:ada@x.example>",
            "\u{200b}ada@x.example\u{a0}",
            "ａｄａ＠x.example",
        ],
        &["renée@x.example", "RENÉE@x.example", "rene\u{301}e@x.example", "RENE\u{301}E@X.EXAMPLE"],
        &["νίκοσ@x.example", "νίκος@x.example", "ΝΊΚΟΣ@x.example"],
        &[
            "a@xn--mnchen-3ya.example",
            "a@München.example",
            "a@MU\u{308}NCHEN.example",
            "a@XN--MNCHEN-3YA.example",
            "a@münchen。example",
        ],
        &["\"a b\"@x.example", "\"A B\"@X.example", "Ada <\"a b\"@x.example>"],
        &["\"a, b\"@x.example", "\"a\\, b\"@x.example"],
        &["a@[192.0.2.1]", "A@[192.0.2.1]"],
        &["ada+news@x.example", "Ada <Ada+News@x.example>"],
        &["ada.@docomo.example", "Ada.@Docomo.example"],
    ];

    #[test]
    fn notations_of_one_address_have_one_key() {
        for notations in SAME {
            for notation in *notations {
                assert_eq!(lookup_keys(notation), [notations[0]], "{notation}");
                assert_eq!(typed_keys(notation), [notations[0]], "{notation}, typed");
            }
        }
    }

    #[test]
    fn lists_have_the_key_of_each_address() {
        for (text, expected) in [
            ("a@x.example, B@Y.example", &["a@x.example", "b@y.example"][..]),
            (
                "\"Lovelace, Ada\" <a@x.example>, \"b@y.example\" <c@z.example>;d@w.example",
                &["a@x.example", "c@z.example", "d@w.example"],
            ),
            ("Team: a@x.example, b@x.example;, c@x.example", &["a@x.example", "b@x.example", "c@x.example"]),
            ("a@x.example b@x.example", &["a@x.example", "b@x.example"]),
            ("\"a, b\"@x.example, c@x.example", &["\"a, b\"@x.example", "c@x.example"]),
            ("sip:+15558675310@x.example", &["+15558675310@x.example", "+15558675310"]),
        ] {
            assert_eq!(lookup_keys(text), expected, "{text}");
        }
    }

    #[test]
    fn text_without_an_address_has_no_key() {
        let long = format!("{}@x.example", "a".repeat(320));
        let none = [
            "",
            " ",
            "undisclosed-recipients:;",
            "Undisclosed recipients: ;",
            "undisclosed-recipients:",
            "Team:;",
            "<>",
            "a@",
            "@ b",
            "Ada <a@>",
            "a b@",
            &long,
        ];
        for text in none {
            assert_eq!(lookup_keys(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn different_addresses_have_different_keys() {
        let firsts: Vec<&str> = SAME.iter().map(|notations| notations[0]).collect();
        let others =
            ["+155586753101", "+1555867531", "xada@x.example", "ada@x.example.org", "ada@xx.example", "acme", "+7860123456"];
        let all: Vec<Vec<String>> = firsts.iter().chain(&others).map(|text| lookup_keys(text)).collect();
        for (index, one) in all.iter().enumerate() {
            assert!(!all.iter().skip(index + 1).any(|other| one == other), "{one:?}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        for unit in ["(", "\"", "<", "[", "=?a?q?", "\\\"", "@", "a@b,", ":", "<\"", "((\\"] {
            let keys = lookup_keys(&format!("{}@x", unit.repeat(256 * 1024 / unit.len())));
            assert!(keys.len() <= 1_001, "{unit}: {}", keys.len());
        }
    }
}
