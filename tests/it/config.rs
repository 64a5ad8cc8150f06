//! Configuration: what starts, what does not, and that every problem is named at once and no secret ever.

use waybill::config::{Config, DatabaseUrl, Env, Loaded, Problems};

use crate::support::twilio::TOKEN;

fn load(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Config::load(&variables.iter().copied().collect::<Env>())
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    match load(variables) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(|finding| finding.variable.clone()).collect(),
    }
}

fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    load(variables).expect("a configuration").warnings.iter().map(ToString::to_string).collect()
}

const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// The block of the user's guide "Webhook Handlers", with real secrets.
const GUIDE: [(&str, &str); 14] = [
    ("TWILIO_AUTH_TOKEN", TOKEN),
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
    ("TWILIO_PHONE_NUMBER", "+1234567890"),
    ("RESEND_API_KEY", "re_123"),
    ("RESEND_WEBHOOK_SECRET", SECRET),
    ("RESEND_FROM_EMAIL", "noreply@mingus.com"),
    ("WEBHOOK_BASE_URL", "https://api.mingus.com"),
    ("TWILIO_WEBHOOK_URL", "/webhooks/twilio"),
    ("RESEND_WEBHOOK_URL", "/webhooks/resend"),
    ("VERIFY_WEBHOOK_SIGNATURES", "true"),
    ("WEBHOOK_TIMEOUT", "30"),
    ("WEBHOOK_MAX_RETRIES", "3"),
    ("MESSAGE_ID_MAPPING_STRATEGY", "database"),
    ("TIMESTAMP_MATCHING_WINDOW", "3600"),
];

#[test]
fn the_guides_block_starts_as_it_stands() {
    let loaded = load(&GUIDE).expect("a configuration");
    assert_eq!(loaded.config.endpoints.len(), 2);
    assert_eq!(loaded.config.timeout.as_secs(), 4);
    assert_eq!(loaded.warnings.len(), 1, "only the timeout: {:?}", loaded.warnings);
    assert_eq!(
        loaded.config.endpoints[1].urls_to_paste(&"http://unused".parse().expect("a URL")),
        ["https://api.mingus.com/webhooks/twilio#rc=5&rp=all"]
    );
}

#[test]
fn nothing_set_is_the_default_gateway_with_every_provider_off() {
    let loaded = load(&[]).expect("a configuration");
    assert!(matches!(loaded.config.database, DatabaseUrl::Sqlite(path) if path.ends_with("waybill.db")));
    assert_eq!(loaded.config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.ops_listen.to_string(), "127.0.0.1:8081");
    assert!(loaded.config.endpoints.is_empty());
    assert!(loaded.warnings[0].sentence.contains("every provider is off"));
}

#[test]
fn every_problem_is_named_at_once() {
    let named = problems(&[
        ("DATABASE_URL", "mysql://h/d"),
        ("LISTEN", "everywhere"),
        ("OPS_LISTEN", "0.0.0.0:8081"),
        ("WEBHOOK_BASE_URL", "example.com"),
        ("WEBHOOK_TIMEOUT", "soon"),
        ("WEBHOOK_MAX_RETRIES", "-1"),
        ("WEBHOOK_LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("VERIFY_WEBHOOK_SIGNATURES", "perhaps"),
        ("MESSAGE_ID_MAPPING_STRATEGY", "guess"),
        ("TIMESTAMP_MATCHING_WINDOW", "wide"),
        ("SHUTDOWN_DELAY", "x"),
        ("OPS_READ_TOKEN", ""),
        ("TWILIO_AUTH_TOKEN", "your_twilio_auth_token"),
        ("TWILIO_SIGNATURE_SCHEMES", "rot13"),
        ("TWILIO_INVALID_PAYLOAD", "explode"),
        ("TWILIO_WEBHOOK_URL", "https://api.example.com/webhooks/twilio"),
        ("TWILIO__SWML__AUTH_TOKEN", TOKEN),
        ("TWILIO__WEBHOOK_BASE_URL", "nowhere"),
        ("RESEND_WEBHOOK_SECRET", "whsec_!!!"),
    ]);
    let expected = [
        "OPS_TOKEN",
        "WEBHOOK_BASE_URL",
        "VERIFY_WEBHOOK_SIGNATURES",
        "MESSAGE_ID_MAPPING_STRATEGY",
        "TIMESTAMP_MATCHING_WINDOW",
        "TWILIO__SWML__AUTH_TOKEN",
        "TWILIO_WEBHOOK_URL",
        "TWILIO_INVALID_PAYLOAD",
        "TWILIO__WEBHOOK_BASE_URL",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_SIGNATURE_SCHEMES",
        "RESEND_WEBHOOK_SECRET",
        "DATABASE_URL",
        "LISTEN",
        "OPS_READ_TOKEN",
        "WEBHOOK_TIMEOUT",
        "WEBHOOK_MAX_RETRIES",
        "WEBHOOK_LOG_LEVEL",
        "LOG_FORMAT",
        "SHUTDOWN_DELAY",
    ];
    for variable in expected {
        assert!(named.iter().any(|name| name == variable), "{variable} in {named:?}");
    }
    assert_eq!(named.len(), expected.len(), "{named:?}");
}

#[test]
fn an_empty_blank_or_placeholder_secret_is_a_problem() {
    for wrong in [
        "",
        " ",
        ",",
        "your_twilio_auth_token",
        "changeme",
        "<token>",
        "good-token-0123,changeme",
        "\"\"",
        "''",
        "\"quoted-0123456789\"",
        "${TWILIO_AUTH_TOKEN}",
        "...",
        "[auth token]",
        "insert-token-here",
        "none",
        "null",
        "xxxxxxxx",
        "00000000000000000000000000000000",
        "a,b",
    ] {
        assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", wrong)]), ["TWILIO_AUTH_TOKEN"], "{wrong:?}");
    }
    // The secret of a shared key is a part of its setting.
    for wrong in ["id:HMAC_SHA256:changeme", "id:HMAC_SHA1:\"\"", "id:HMAC_SHA1:", "id:HMAC_SHA256:0000000000000000"] {
        assert!(problems(&[("TWILIO_SHARED_KEY", wrong)]).iter().all(|name| name == "TWILIO_SHARED_KEY"), "{wrong:?}");
        assert!(!problems(&[("TWILIO_SHARED_KEY", wrong)]).is_empty(), "{wrong:?}");
    }
    for fine in ["[0123456789abcdef", "$0123456789abcdef", "'0123456789abcdef", "insertion-0123456789"] {
        assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", fine)]), [""; 0], "{fine:?}");
    }
    for wrong in ["whsec_", "whsec_====", "whsec_%%%", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "whsk_abc"] {
        assert_eq!(problems(&[("RESEND_WEBHOOK_SECRET", wrong)]), ["RESEND_WEBHOOK_SECRET"], "{wrong:?}");
    }
}

#[test]
fn no_secret_stands_in_a_finding_or_in_debug_output() {
    const CANARY: &str = "canary-3f1c9a0e5b7d4268!";
    let shown =
        |variables: &[(&str, &str)]| format!("{:?}", load(variables).map_err(|problems| (problems.to_string(), problems)));
    for variables in [
        &[("TWILIO_AUTH_TOKEN", CANARY), ("LISTEN", "x")][..],
        &[("RESEND_WEBHOOK_SECRET", CANARY)],
        &[("RESEND_WEBHOOK_SECRET", CANARY), ("RESEND_SIGNATURE_SCHEMES", "svix")],
        &[("OPS_TOKEN", CANARY), ("DATABASE_URL", "postgres://u:canary-3f1c@h/d")],
        &[("TWILIO_AUTH_TOKEN", CANARY), ("TWILIO__ACME__AUTH_TOKEN", CANARY)],
    ] {
        let shown = shown(variables);
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn accounts_have_urls_schemes_and_public_addresses_of_their_own() {
    let loaded = load(&[
        ("WEBHOOK_BASE_URL", "https://a.example,https://b.example/in"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO__ACME_EU__AUTH_TOKEN", "0123456789abcdef,fedcba9876543210"),
        ("TWILIO__ACME_EU__WEBHOOK_BASE_URL", "https://acme.example"),
        ("TWILIO_WEBHOOK_URL", "/hooks/tw"),
    ])
    .expect("a configuration");
    let urls: Vec<String> =
        loaded.config.endpoints.iter().map(|endpoint| endpoint.outgoing("POST", endpoint.path(), "", "").url()).collect();
    assert_eq!(urls, ["https://acme.example/hooks/tw/acme-eu", "https://a.example/hooks/tw"]);
    assert_eq!(loaded.config.endpoints[1].public_urls.len(), 2, "while a domain moves");
}

#[test]
fn a_provider_without_a_proof_is_off() {
    assert!(load(&[("TWILIO_ACCOUNT_SID", "AC1")]).expect("a configuration").config.endpoints.is_empty());
}

#[test]
fn the_settings_of_each_provider_are_read_strictly() {
    const LONG: &str = "0123456789abcdef0123456789abcdef";
    for (variable, wrong) in [
        ("VONAGE_URL_TOKEN", &LONG[..31]),
        ("VONAGE_URL_TOKEN", "0123456789abcdef0123456789abcde/"),
        ("MIFUMO_URL_TOKEN", "0123456789abcdef0123456789abcdef,short"),
        ("VONAGE_SIGNATURE_METHOD", "md4"),
        ("VONAGE_SIGNATURE_TOLERANCE", "-1"),
        ("VONAGE_SIGNATURE_SCHEMES", "sms,svix"),
        ("VONAGE_SIGNATURE_SCHEMES", "sms,url-token"),
        ("SIGNALWIRE_BASIC_AUTH", "nobody-0123456789abcdef"),
        ("SIGNALWIRE_BASIC_AUTH", ":0123456789abcdef"),
        ("SIGNALWIRE_ALLOWED_IPS", "10.0.0.0/33"),
        ("SIGNALWIRE_ALLOWED_IPS", ""),
        ("SIGNALWIRE_REQUIRE", "some"),
        ("SIGNALWIRE_SWML", "fixtures/nothing.json"),
        ("SIGNALWIRE_SWML", "Cargo.toml"),
        ("CONVERSATION_SIGNATURE_HEADER", "X Signature"),
        ("CONVERSATION_RATE_LIMIT", "many"),
        ("CONVERSATION_MAX_CONCURRENT", "1.5"),
        ("MIFUMO__T__WEBHOOK_SECRET", LONG),
        ("SIGNALWIRE__SWML__SIGNING_KEY", LONG),
    ] {
        let prefix = variable.split('_').next().expect("a prefix");
        let proof = match prefix {
            "VONAGE" => "VONAGE_SIGNATURE_SECRET",
            "SIGNALWIRE" => "SIGNALWIRE_SIGNING_KEY",
            "MIFUMO" => "MIFUMO_WEBHOOK_SECRET",
            _ => "CONVERSATION_WEBHOOK_SECRET",
        };
        assert_eq!(problems(&[(proof, LONG), (variable, wrong)]), [variable], "{wrong}");
    }
}

#[test]
fn an_address_list_alone_switches_on_only_where_the_contract_says_so() {
    assert_eq!(load(&[("SIGNALWIRE_ALLOWED_IPS", "127.0.0.1")]).expect("a configuration").config.endpoints.len(), 1);
    assert_eq!(load(&[("CONVERSATION_ALLOWED_IPS", "127.0.0.1")]).expect("a configuration").config.endpoints.len(), 0);
}

#[test]
fn a_url_to_paste_names_the_variable_of_its_token() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let basic = ("SIGNALWIRE_BASIC_AUTH", "user:0123456789abcdef");
    let secret = ("SIGNALWIRE_WEBHOOK_SECRET", TOKEN);
    for (variables, url) in [
        (vec![basic], "https://${SIGNALWIRE_BASIC_AUTH}@h/webhooks/signalwire"),
        (vec![basic, secret], "https://h/webhooks/signalwire?secret=${SIGNALWIRE_WEBHOOK_SECRET}"),
        (
            vec![basic, secret, ("SIGNALWIRE_REQUIRE", "all")],
            "https://${SIGNALWIRE_BASIC_AUTH}@h/webhooks/signalwire?secret=${SIGNALWIRE_WEBHOOK_SECRET}",
        ),
    ] {
        let endpoint = load(&variables).expect("a configuration").config.endpoints.remove(0);
        assert_eq!(endpoint.urls_to_paste(&"https://h".parse().expect("a URL"))[0], url);
    }
    let variables = [
        ("SIGNALWIRE_URL_TOKEN", TOKEN),
        ("VONAGE__ACME_EU__URL_TOKEN", TOKEN),
        ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
    ];
    let loaded = load(&variables).expect("a configuration");
    let fallback = "http://unused".parse().expect("a URL");
    let urls: Vec<String> = loaded.config.endpoints.iter().flat_map(|endpoint| endpoint.urls_to_paste(&fallback)).collect();
    assert_eq!(
        urls,
        [
            "https://hooks.example.com/webhooks/signalwire/t/${SIGNALWIRE_URL_TOKEN}",
            "https://hooks.example.com/webhooks/signalwire/swml/t/${SIGNALWIRE_URL_TOKEN}",
            "https://hooks.example.com/webhooks/vonage/acme-eu/t/${VONAGE__ACME_EU__URL_TOKEN}",
        ]
    );
}

#[test]
fn two_endpoints_never_share_a_path() {
    let same = [("TWILIO_AUTH_TOKEN", TOKEN), ("RESEND_WEBHOOK_SECRET", SECRET), ("TWILIO_WEBHOOK_URL", "/webhooks/resend")];
    assert_eq!(problems(&same), ["TWILIO_WEBHOOK_URL"]);
    assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_WEBHOOK_URL", "/webhooks/health")]), ["TWILIO_WEBHOOK_URL"]);
}

#[test]
fn oddities_are_warnings() {
    let unknown = warnings(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_AUTHTOKEN", "x"), ("WEBHOOK_BASE_URL", "https://a.example")]);
    assert_eq!(unknown, ["TWILIO_AUTHTOKEN: is not a variable of this provider and changes nothing"]);
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", TOKEN)])[0].starts_with("WEBHOOK_BASE_URL: unset"));
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", "12345")])[0].contains("shorter than"));
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_ACCOUNT_SID", "")])[0].contains("counts as unset"));
    assert!(warnings(&[("RESEND_WEBHOOK_SECRET", "not base64 at all!")])[0].contains("not a Svix secret"));
    assert!(warnings(&[("RESEND_WEBHOOK_SECRET", SECRET), ("WEBHOOK_TIMEOUT", "30")])[0].contains("taken as 4"));
}

#[test]
fn the_process_wins_over_the_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(".env");
    std::fs::write(&file, "LISTEN=127.0.0.1:1\nOPS_LISTEN=\"127.0.0.1:2\" # comment\n").expect("written");
    let env = Env::read(&file, [("LISTEN".to_owned(), "127.0.0.1:3".to_owned())]).expect("readable");
    assert_eq!((env.get("LISTEN"), env.get("OPS_LISTEN")), (Some("127.0.0.1:3"), Some("127.0.0.1:2")));
    assert!(Env::read(&folder.path().join("missing"), []).is_ok());
    std::fs::write(&file, "TWILIO_AUTH_TOKEN='canary\n").expect("written");
    let error = Env::read(&file, []).err().expect("unreadable").to_string();
    assert!(!error.contains("canary"), "{error}");
}
