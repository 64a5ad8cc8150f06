//! Random notations of addresses: all notations of one address have one key, and erasure finds a person under any escapes.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::{collection::vec, prelude::*};
use waybill::{
    address::{emails, lookup_keys, typed_keys},
    store::DataSubject,
};

/// Pieces of which hostile texts are made.
const PIECES: [&str; 40] = [
    "@",
    "a",
    "b.c",
    "x.example",
    "<",
    ">",
    "\"",
    "(",
    ")",
    ",",
    ";",
    ":",
    "[",
    "]",
    "\\",
    " ",
    "\t",
    "\n",
    "=?utf-8?q?",
    "?=",
    "é",
    "e\u{301}",
    "\u{37e}",
    "ß",
    "İ",
    "ς",
    "＠",
    "１",
    "\u{200b}",
    "\u{202e}",
    "\u{a0}",
    "+",
    "00",
    "0",
    "15558675310",
    "whatsapp:",
    "SIP:",
    "mailto:",
    "xn--",
    "。",
];

fn hostile() -> impl Strategy<Value = String> {
    vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())
}

/// A mailbox in lower case.
fn mailbox() -> impl Strategy<Value = String> {
    ("[a-z0-9][a-z0-9._+-]{0,10}", "[a-z0-9]{1,8}(\\.[a-z]{2,8}){1,2}").prop_map(|(local, domain)| format!("{local}@{domain}"))
}

/// The text with each letter in the case that the bits say.
fn in_any_case(text: &str, bits: u64) -> String {
    let one = |(index, c): (usize, char)| if bits >> (index % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c };
    text.chars().enumerate().map(one).collect()
}

/// A notation of a mailbox, as headers have it.
fn notation(address: &str, kind: usize, bits: u64) -> String {
    let address = in_any_case(address, bits);
    match kind {
        0 => address,
        1 => format!("Ada <{address}>"),
        2 => format!("\"Lovelace, Ada; <b@y.example>\" <{address}>"),
        3 => format!("\"Acme\" {address}"),
        4 => format!("=?utf-8?Q?L=C3=A9a,_A?= <{address}>"),
        5 => format!("(a, b@y.example \\) ) <{address}> (c;)"),
        6 => format!("<@r.example,@s.example:{address}>"),
        7 => format!("{address}."),
        _ => format!("<mailto:{address}>"),
    }
}

/// A number with punctuation after each digit as the choices say.
fn number(digits: &str, start: usize, choices: &[usize]) -> String {
    let separators = ["", "", " ", "-", ".", "\u{a0}", "\u{2011}", "\u{200b}"];
    let start = ["+", "00", "", "tel:+", "WhatsApp:+", "\u{202a}＋"][start];
    let digits = digits.chars().zip(choices).map(|(digit, choice)| format!("{digit}{}", separators[*choice]));
    format!("{start}{}", digits.collect::<String>()).trim_end_matches(['.', '-', '\u{2011}']).to_owned()
}

/// The text with each character escaped as the choices say, for JSON or for a URL.
fn escaped(text: &str, choices: &[usize]) -> String {
    let is_url = choices[0] % 2 == 1;
    let one = |(index, c): (usize, char)| {
        let unit = |unit: &u16| match choices[index % choices.len()] {
            1 => format!("\\u{unit:04x}"),
            _ => format!("\\u{unit:04X}"),
        };
        let json = || c.encode_utf16(&mut [0; 2]).iter().map(unit).collect::<String>();
        let url = || percent_encode(c.to_string().as_bytes(), NON_ALPHANUMERIC).to_string();
        match (choices[index % choices.len()], is_url) {
            (1 | 2, false) => json(),
            (1, true) => url().to_lowercase(),
            (_, true) => url(),
            (_, false) if c == '"' || c == '\\' => format!("\\{c}"),
            (_, false) => c.to_string(),
        }
    };
    let escaped: String = text.chars().enumerate().map(one).collect();
    if is_url { format!("to={escaped}&n=1") } else { format!("{{\"to\":\"{escaped}\"}}") }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn key_of_a_key_is_itself(text in hostile()) {
        for key in lookup_keys(&text) {
            prop_assert!((1..=320).contains(&key.len()));
            prop_assert_eq!(lookup_keys(&key), std::slice::from_ref(&key), "from {:?}", &text);
            prop_assert_eq!(typed_keys(&key), [key], "from {:?}", &text);
        }
    }

    #[test]
    fn notations_of_a_list_have_the_keys_of_its_addresses(
        list in vec((mailbox(), 0_usize..9, any::<u64>()), 1..6),
        separator in prop::sample::select(&[", ", ",", ";", " ; ", ",\r\n "][..]),
    ) {
        let addresses: Vec<String> = list.iter().map(|(address, ..)| address.clone()).collect();
        let header = list.iter().map(|(address, kind, bits)| notation(address, *kind, *bits)).collect::<Vec<_>>().join(separator);
        prop_assert_eq!(lookup_keys(&header), addresses.clone());
        prop_assert_eq!(typed_keys(&header), addresses.clone());
        let row = emails(&header).join(", ");
        prop_assert_eq!(row.to_lowercase(), addresses.join(", "));
        prop_assert_eq!(lookup_keys(&row), addresses);
    }

    #[test]
    fn notations_of_a_number_have_one_key(digits in "[1-9][0-9]{7,14}", start in 0_usize..6, choices in vec(0_usize..8, 15)) {
        let typed = number(&digits, start, &choices);
        prop_assert_eq!(lookup_keys(&typed), [format!("+{digits}")], "{:?}", &typed);
        prop_assert_eq!(typed_keys(&typed), [format!("+{digits}")], "{:?}", typed);
    }

    #[test]
    fn erasure_finds_a_person_under_any_escapes(
        address in mailbox(), digits in "[1-9][0-9]{7,14}", bits in any::<u64>(), layers in vec(vec(0_usize..4, 1..7), 1..4),
    ) {
        for (person, text, other) in [
            (address.clone(), in_any_case(&address, bits), format!("x{address}")),
            (format!("é{address}"), format!("É{}", in_any_case(&address, bits)), format!("é.é{address}")),
            (digits.clone(), format!("+{digits}"), format!("+{digits}1")),
        ] {
            let subject = DataSubject::parse(&person).expect("a person");
            let in_layers = |text: &str| layers.iter().fold(text.to_owned(), |text, choices| escaped(&text, choices));
            prop_assert!(subject.occurs_in(&in_layers(&text)), "{person} in {}", in_layers(&text));
            prop_assert!(!subject.occurs_in(&in_layers(&other)), "{person} in {}", in_layers(&other));
        }
    }
}
