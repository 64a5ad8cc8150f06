//! Findings of the doctor: for each configuration of gateway and sender and each change in transit, the text that the finding must
//! contain. All of these requests are rejected.

mod cases;

use serde_json::json;
use sha2::{Digest, Sha256};
use waybill::{
    config::{Config, Env},
    doctor::{self, Finding},
    endpoint::{Endpoint, EndpointConfig},
    providers,
    router::Router,
    signature::Outgoing,
    time::Timestamp,
};

use self::cases::{Case, MIFUMO, NOW, OTHER, RESEND, SIGNALWIRE, SVIX, TOKEN, TWILIO, VONAGE, Variables, case, cases, payload};
use crate::support::{
    callback::received,
    database::{Backend, Database},
    gateway::Gateway,
};

fn endpoints(variables: Variables) -> Router {
    let env: Env = variables.iter().copied().collect();
    let config = Config::load(&env).unwrap_or_else(|problems| panic!("{problems}")).config;
    Router::new(
        config.endpoints.into_iter().map(EndpointConfig::build).collect(),
        "http://127.0.0.1:8080".parse().expect("a URL"),
    )
}

fn endpoint<'e>(endpoints: &'e Router, provider: &str) -> &'e Endpoint {
    // Of several accounts the default one, whose path sorts first.
    let mut of_provider: Vec<&Endpoint> = endpoints.iter().filter(|endpoint| endpoint.spec.name == provider).collect();
    of_provider.sort_by_key(|endpoint| endpoint.path());
    of_provider.first().copied().expect("an endpoint")
}

/// The sender's request, as the gateway receives it.
fn outgoing(case: &Case, path: &str) -> Outgoing {
    let sender_settings: Vec<(&str, &str)> = match case.provider {
        "twilio" => TWILIO,
        "resend" => RESEND,
        "vonage" => VONAGE,
        "signalwire" => SIGNALWIRE,
        _ => MIFUMO,
    }
    .iter()
    .filter(|(name, _)| case.sender.iter().all(|(other, _)| other != name))
    .chain(case.sender)
    .copied()
    .collect();
    let env: Env = sender_settings.into_iter().collect();
    let sender = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let scheme = sender.spec.schemes.iter().find(|scheme| scheme.name == case.scheme).expect("a scheme");
    let (content_type, body) = payload(case.provider);
    let unsigned = sender.outgoing("POST", format!("{path}{}", case.target_suffix), content_type, body);
    let mut outgoing = Outgoing { id: "msg_1".to_owned(), seconds: NOW, ..unsigned };
    sender.sign(scheme, &mut outgoing);
    (case.change)(&mut outgoing);
    outgoing
}

fn diagnosis(case: &Case, seconds: i64) -> Finding {
    let all = endpoints(case.configured);
    let endpoint = endpoint(&all, case.provider);
    let callback = received(endpoint, outgoing(case, &endpoint.path()), Timestamp::from_seconds(seconds).expect("an instant"));
    let why = endpoint.verify(&callback).map(drop).expect_err(case.expected_finding);
    doctor::examine(&all, endpoint, &callback, why)
}

#[test]
fn doctor_names_every_misconfiguration() {
    for case in cases() {
        let finding = diagnosis(&case, NOW);
        assert!(
            finding.sentence.contains(case.expected_finding),
            "{} {}: {}\nexpected: {}",
            case.provider,
            case.scheme,
            finding.sentence,
            case.expected_finding
        );
        let is_hint = ["has no signature", "has the header", "a signature header is repeated", "no near miss"]
            .iter()
            .any(|hint| case.expected_finding.contains(hint));
        assert_eq!(finding.is_near_miss, !is_hint, "{}", case.expected_finding);
        for secret in [TOKEN, OTHER, SVIX.trim_start_matches("whsec_")] {
            assert!(!finding.sentence.contains(secret), "{}", finding.sentence);
        }
    }
}

#[test]
fn doctor_recognizes_stale_signatures() {
    for (case, seconds, expected_finding) in [
        (case("resend", RESEND, RESEND, "svix", ""), NOW + 301, "valid, but 301 s old: check this machine's clock"),
        (case("resend", RESEND, RESEND, "svix", ""), NOW - 3_600, "valid, but 3600 s in the future"),
        (case("vonage", VONAGE, VONAGE, "jwt", ""), NOW + 900, "valid, but 900 s old"),
        (
            case("vonage", &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_SIGNATURE_TOLERANCE", "60")], VONAGE, "sms", ""),
            NOW + 61,
            "valid, but 61 s old",
        ),
    ] {
        let finding = diagnosis(&case, seconds);
        assert!(finding.sentence.contains(expected_finding) && finding.is_near_miss, "{}", finding.sentence);
    }
    let wrong_and_old = Case { configured: &[("RESEND_WEBHOOK_SECRET", OTHER)], ..case("resend", RESEND, RESEND, "svix", "") };
    assert!(!diagnosis(&wrong_and_old, NOW + 301).is_near_miss);
}

/// Endpoints with a secret for every proof of every provider, for each of the accounts.
fn fresh(seed: u8, accounts: &[&str]) -> Vec<Endpoint> {
    let accounts = (0..).zip(accounts);
    let generated = accounts.flat_map(|(number, infix): (u8, _)| {
        let random = Sha256::digest([seed, number]).into();
        providers::ALL.iter().flat_map(move |spec| spec.generate_variables(infix, &random))
    });
    let variables: Vec<(String, String)> = generated.collect();
    let config = Config::load(&variables.into_iter().collect()).unwrap_or_else(|problems| panic!("{problems}")).config;
    config.endpoints.into_iter().map(EndpointConfig::build).collect()
}

/// Signatures by unrelated secrets are never a near miss.
#[test]
fn random_signatures_are_no_near_miss() {
    for seed in 0..20 {
        let all = Router::new(fresh(seed, &["_", "__ACME__"]), "https://hooks.example.com".parse().expect("a URL"));
        for sender in fresh(seed + 100, &["_"]) {
            for scheme in sender.spec.signatures() {
                let target = all.find(sender.spec.name, "default").expect("an endpoint");
                let (content_type, body) = payload(sender.spec.name);
                let unsigned = target.outgoing("POST", target.path(), content_type, body);
                let mut outgoing = Outgoing { id: "msg_1".to_owned(), seconds: NOW, ..unsigned };
                sender.sign(scheme, &mut outgoing);
                let callback = received(target, outgoing, Timestamp::from_seconds(NOW).expect("an instant"));
                let cause = target.verify(&callback).map(drop).expect_err("forged");
                let finding = doctor::examine(&all, target, &callback, cause);
                assert!(!finding.is_near_miss && finding.sentence.contains("no near miss"), "{scheme:?}: {}", finding.sentence);
            }
        }
    }
}

/// A gateway rejects these requests, applies nothing, and stores the same finding.
#[test]
fn near_misses_are_rejected() {
    for case in cases() {
        let variables: Vec<(String, String)> =
            case.configured.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_seconds(NOW).expect("an instant");
        let gateway = Gateway::start_on(Database::new(Backend::Sqlite), now, &variables);
        let path = endpoint(&endpoints(case.configured), case.provider).path();
        let mut outgoing = outgoing(&case, &path);
        if outgoing.headers.iter().any(|(name, _)| name == "Host") {
            // The test's client sets its own Host header.
            outgoing
                .headers
                .iter_mut()
                .filter(|(name, _)| name == "Host")
                .for_each(|(name, _)| "X-Forwarded-Host".clone_into(name));
        }
        let before = gateway.row_counts();
        let answer = gateway.send(&outgoing);
        assert_eq!(
            (answer.status, answer.json()),
            (401, json!({ "success": false, "error": "invalid_signature" })),
            "{}",
            case.expected_finding
        );
        assert_eq!(gateway.row_counts(), before, "{}", case.expected_finding);
        gateway.running().gateway.rejections.close();
        let rows = gateway.database.rows("rejected_requests");
        assert_eq!(rows.len(), 1, "{}", case.expected_finding);
        let finding = rows[0]["finding"].as_str().expect("a finding");
        // The gateway of a test listens on a free port instead of 8080.
        let is_of_port = case.expected_finding.contains(":8080");
        assert!(is_of_port || finding.contains(case.expected_finding), "{finding}\nexpected: {}", case.expected_finding);
    }
}
