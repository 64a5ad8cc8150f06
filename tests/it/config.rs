//! Configuration: valid and invalid settings. All problems are reported together, and none shows a secret.

use waybill::{
    build_info::BUILD,
    config::{Config, DatabaseUrl, Env, Loaded, Problems},
    endpoint::{Endpoint, EndpointConfig},
};

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

/// The settings of the "Webhook Handlers Guide", with valid secrets.
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
fn integration_guide_settings_start_unchanged() {
    let mut loaded = load(&GUIDE).expect("a configuration");
    assert_eq!(loaded.config.endpoints.len(), 2);
    assert_eq!(loaded.config.timeout.as_secs(), 4);
    let warned: Vec<&str> = loaded.warnings.iter().map(|warning| warning.variable.as_str()).collect();
    assert_eq!(warned, ["WEBHOOK_TIMEOUT", "TRUSTED_PROXIES"]);
    assert_eq!(
        loaded.config.endpoints.remove(1).build().urls_to_paste(&"http://unused".parse().expect("a URL")),
        ["https://api.mingus.com/webhooks/twilio#rc=5&rp=all"]
    );
}

#[test]
fn empty_environment_is_a_gateway_with_every_provider_off() {
    let loaded = load(&[]).expect("a configuration");
    assert!(matches!(loaded.config.database, DatabaseUrl::Sqlite(path) if path.ends_with("waybill.db")));
    assert_eq!(loaded.config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.ops_listen.to_string(), "127.0.0.1:8081");
    assert!(loaded.config.endpoints.is_empty());
    assert!(loaded.warnings[0].sentence.contains("all providers are off"));
}

#[test]
fn configuration_problems_are_reported_together() {
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

/// Each form of a host has its case beside `needs_tls`.
#[test]
fn postgres_on_another_machine_is_a_problem_without_tls() {
    let remote = "postgres://u:canary-3f1c@db.example.com/waybill";
    let problem = load(&[("DATABASE_URL", remote)]).err().map(|problems| problems.to_string());
    assert_eq!(problem.is_none(), BUILD.postgres_tls);
    let problem = problem.unwrap_or_else(|| "DATABASE_URL: `postgres-tls`".to_owned());
    assert!(
        problem.starts_with("DATABASE_URL: ") && problem.contains("`postgres-tls`") && !problem.contains("canary"),
        "{problem}"
    );
    for local in [
        "postgres://u@/waybill?host=/run/postgresql",
        "postgres://u@%2Frun%2Fpostgresql/waybill",
        "postgres://u:p@localhost/waybill",
        "postgres://u:p@127.0.0.1:5432/waybill",
        "postgres://u:p@[::1]/waybill",
        "postgres://u:p@db.example.com/waybill?sslmode=disable",
    ] {
        assert_eq!(problems(&[("DATABASE_URL", local)]), Vec::<String>::new(), "{local}");
    }
}

#[test]
fn empty_blank_and_placeholder_secrets_are_problems() {
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
    // The setting of a shared key contains its secret.
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
fn secrets_never_appear_in_findings_or_debug_output() {
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
fn accounts_have_their_own_urls_and_schemes() {
    let loaded = load(&[
        ("WEBHOOK_BASE_URL", "https://a.example,https://b.example/in"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO__ACME_EU__AUTH_TOKEN", "0123456789abcdef,fedcba9876543210"),
        ("TWILIO__ACME_EU__WEBHOOK_BASE_URL", "https://acme.example"),
        ("TWILIO_WEBHOOK_URL", "/hooks/tw"),
    ])
    .expect("a configuration");
    let endpoints: Vec<Endpoint> = loaded.config.endpoints.into_iter().map(EndpointConfig::build).collect();
    let urls: Vec<String> = endpoints.iter().map(|endpoint| endpoint.outgoing("POST", endpoint.path(), "", "").url()).collect();
    assert_eq!(urls, ["https://acme.example/hooks/tw/acme-eu", "https://a.example/hooks/tw"]);
    assert_eq!(endpoints[1].public_urls.len(), 2, "both base URLs");
}

#[test]
fn provider_without_credentials_is_off() {
    assert!(load(&[("TWILIO_ACCOUNT_SID", "AC1")]).expect("a configuration").config.endpoints.is_empty());
}

#[test]
fn provider_settings_are_parsed_strictly() {
    const LONG: &str = "0123456789abcdef0123456789abcdef";
    for (variable, wrong) in [
        ("VONAGE_URL_TOKEN", &LONG[..31]),
        ("VONAGE_URL_TOKEN", "0123456789abcdef0123456789abcde/"),
        ("MIFUMO_URL_TOKEN", "0123456789abcdef0123456789abcdef,short"),
        ("VONAGE_SIGNATURE_METHOD", "md4"),
        ("VONAGE_SIGNATURE_TOLERANCE", "-1"),
        ("VONAGE_SIGNATURE_SCHEMES", "sms,svix"),
        ("VONAGE_SIGNATURE_SCHEMES", "sms,url-token"),
        ("SIGNALWIRE_BASIC_AUTH", "user-0123456789abcdef"),
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
fn address_list_alone_enables_only_signalwire() {
    assert_eq!(load(&[("SIGNALWIRE_ALLOWED_IPS", "127.0.0.1")]).expect("a configuration").config.endpoints.len(), 1);
    assert_eq!(load(&[("CONVERSATION_ALLOWED_IPS", "127.0.0.1")]).expect("a configuration").config.endpoints.len(), 0);
}

#[test]
fn url_to_paste_names_its_token_variable() {
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
        let endpoint = load(&variables).expect("a configuration").config.endpoints.remove(0).build();
        assert_eq!(endpoint.urls_to_paste(&"https://h".parse().expect("a URL"))[0], url);
    }
    let variables = [
        ("SIGNALWIRE_URL_TOKEN", TOKEN),
        ("VONAGE__ACME_EU__URL_TOKEN", TOKEN),
        ("WEBHOOK_BASE_URL", "https://hooks.example.com"),
    ];
    let loaded = load(&variables).expect("a configuration");
    let fallback = "http://unused".parse().expect("a URL");
    let urls: Vec<String> =
        loaded.config.endpoints.into_iter().flat_map(|endpoint| endpoint.build().urls_to_paste(&fallback)).collect();
    assert_eq!(
        urls,
        [
            "https://hooks.example.com/webhooks/signalwire/t/${SIGNALWIRE_URL_TOKEN}",
            "https://hooks.example.com/webhooks/signalwire/swml/t/${SIGNALWIRE_URL_TOKEN}",
            "https://hooks.example.com/webhooks/vonage/acme-eu/t/${VONAGE__ACME_EU__URL_TOKEN}",
        ]
    );
}

/// A secret that a person chooses must not be guessable. Those of vendors have their own forms.
#[test]
fn weak_credentials_are_problems() {
    for weak in ["ab1", "hunter2hunter2", "abcabcabcabcabcabcabcabcabcabcabcabcabc", "swordfishswordfish"] {
        let pair = format!("a-long-user-name:{weak}");
        for (variable, value) in [
            ("OPS_TOKEN", weak),
            ("OPS_READ_TOKEN", weak),
            ("SIGNALWIRE_BASIC_AUTH", &pair),
            ("SIGNALWIRE_WEBHOOK_SECRET", weak),
            ("SIGNALWIRE_URL_TOKEN", weak),
            ("VONAGE__ACME__URL_TOKEN", weak),
            ("MIFUMO_WEBHOOK_SECRET", weak),
            ("CONVERSATION_WEBHOOK_SECRET", weak),
            ("RESEND_WEBHOOK_SECRET", weak),
        ] {
            let Err(Problems(found)) = load(&[(variable, value)]) else { panic!("{variable}={value} is accepted") };
            assert!(found.iter().all(|finding| finding.variable == variable), "{found:?}");
            let text = found.iter().map(ToString::to_string).collect::<String>();
            assert!(text.contains("openssl rand -hex 32") && !text.contains(weak), "{text}");
        }
    }
    assert!(problems(&[("TWILIO_AUTH_TOKEN", "12345"), ("VONAGE_SIGNATURE_SECRET", "abcd1234abcd")]).is_empty());
    let nine = [TOKEN; 9].join(",");
    assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", &nine)]), ["TWILIO_AUTH_TOKEN"], "more secrets than a rotation needs");
    let urls = ["https://h"; 5].join(",");
    assert_eq!(
        problems(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__WEBHOOK_BASE_URL", &urls)]),
        ["TWILIO__WEBHOOK_BASE_URL"],
        "more addresses than a move needs"
    );
}

#[test]
fn endpoints_never_share_a_path() {
    let same = [("TWILIO_AUTH_TOKEN", TOKEN), ("RESEND_WEBHOOK_SECRET", SECRET), ("TWILIO_WEBHOOK_URL", "/webhooks/resend")];
    assert_eq!(problems(&same), ["TWILIO_WEBHOOK_URL"]);
    assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_WEBHOOK_URL", "/webhooks/health")]), ["TWILIO_WEBHOOK_URL"]);
}

#[test]
fn unusual_settings_are_warnings() {
    let unknown = [("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_AUTHTOKEN", "x"), ("WEBHOOK_BASE_URL", "https://a.example")];
    let unknown: Vec<String> = warnings(&unknown).into_iter().filter(|warning| warning.starts_with("TWILIO")).collect();
    assert_eq!(unknown, ["TWILIO_AUTHTOKEN: is not a variable of this provider; it has no effect"]);
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", TOKEN)])[0].starts_with("WEBHOOK_BASE_URL: unset"));
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", "12345")])[0].contains("shorter than"));
    assert!(warnings(&[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_ACCOUNT_SID", "")])[0].contains("counts as unset"));
    assert!(warnings(&[("RESEND_WEBHOOK_SECRET", "not base64 at all!")])[0].contains("not a Svix secret"));
    assert!(warnings(&[("RESEND_WEBHOOK_SECRET", SECRET), ("WEBHOOK_TIMEOUT", "30")])[0].contains("taken as 4"));
}

#[test]
fn one_secret_for_two_purposes_is_reported() {
    let base = ("WEBHOOK_BASE_URL", "https://a.example");
    let shared = |one: (&str, &str), other: (&str, &str)| {
        let all = warnings(&[base, one, other]);
        all.into_iter().filter(|warning| warning.contains("shares a secret")).collect::<Vec<_>>()
    };
    let across = shared(("TWILIO_AUTH_TOKEN", TOKEN), ("MIFUMO_WEBHOOK_SECRET", &format!("{SECRET},{TOKEN}")));
    assert_eq!(across.len(), 1, "{across:?}");
    assert!(across[0].contains("shares a secret with") && across[0].contains("can sign for the other"), "{across:?}");
    let part = shared(("SIGNALWIRE_BASIC_AUTH", &format!("user:{TOKEN}")), ("TWILIO__ACME__AUTH_TOKEN", TOKEN));
    assert!(part.len() == 1 && part[0].contains("account "), "{part:?}");
    let accounts = shared(("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__ACME__AUTH_TOKEN", TOKEN));
    assert!(accounts.len() == 1 && accounts[0].contains("callbacks of one verify at the other"), "{accounts:?}");
    assert_eq!(shared(("TWILIO_AUTH_TOKEN", TOKEN), ("MIFUMO_WEBHOOK_SECRET", SECRET)), [""; 0]);
    let tokens = [("OPS_TOKEN", "a-token-of-the-tests-0f3b7c1d9e5a"), ("OPS_READ_TOKEN", "a-token-of-the-tests-0f3b7c1d9e5a")];
    let problem = load(&tokens).expect_err("a reader could change everything").to_string();
    assert!(problem.contains("a token other than OPS_TOKEN"), "{problem}");
}

#[test]
fn process_environment_overrides_file() {
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
