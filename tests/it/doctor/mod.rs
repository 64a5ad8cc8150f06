//! What the doctor says, as a table: how the gateway is configured, how the sender signs, what happens on the way, and what the
//! sentence must contain. Nothing of it is ever believed.

mod cases;

use serde_json::json;
use sha2::{Digest, Sha256};
use waybill::{
    config::{Config, Env},
    doctor::{self, Finding},
    endpoint::Endpoint,
    endpoints::Endpoints,
    provider::SettingKind,
    providers,
    signature::Outgoing,
    time::Timestamp,
};

use self::cases::{Case, MIFUMO, NOW, OTHER, RESEND, SIGNALWIRE, SVIX, TOKEN, TWILIO, VONAGE, Variables, case, cases, payload};
use crate::support::{
    callback::received,
    database::{Backend, Database},
    gateway::Gateway,
};

fn endpoints(variables: Variables) -> Endpoints {
    let env: Env = variables.iter().copied().collect();
    let config = Config::load(&env).unwrap_or_else(|problems| panic!("{problems}")).config;
    Endpoints::new(config.endpoints, "http://127.0.0.1:8080".parse().expect("a URL"))
}

fn endpoint<'e>(endpoints: &'e Endpoints, provider: &str) -> &'e Endpoint {
    // Of several accounts the one at the provider's own path.
    let mut of_provider: Vec<&Endpoint> = endpoints.iter().filter(|endpoint| endpoint.spec.name == provider).collect();
    of_provider.sort_by_key(|endpoint| endpoint.path());
    of_provider.first().copied().expect("an endpoint")
}

/// What the sender sends, as it arrives.
fn outgoing(case: &Case, path: &str) -> Outgoing {
    let truth: Vec<(&str, &str)> = match case.provider {
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
    let env: Env = truth.into_iter().collect();
    let sender = Config::load(&env).expect("a configuration").config.endpoints.remove(0);
    let scheme = sender.spec.schemes.iter().find(|scheme| scheme.name == case.scheme).expect("a scheme");
    let (content_type, body) = payload(case.provider);
    let unsigned = sender.outgoing("POST", format!("{path}{}", case.behind), content_type, body);
    let mut outgoing = Outgoing { id: "msg_1".to_owned(), seconds: NOW, ..unsigned };
    sender.sign(scheme, &mut outgoing);
    (case.change)(&mut outgoing);
    outgoing
}

fn diagnosis(case: &Case, seconds: i64) -> Finding {
    let all = endpoints(case.configured);
    let endpoint = endpoint(&all, case.provider);
    let callback = received(endpoint, outgoing(case, &endpoint.path()), Timestamp::from_seconds(seconds).expect("an instant"));
    let why = endpoint.verify(&callback).map(drop).expect_err(case.says);
    doctor::examine(&all, endpoint, &callback, why)
}

#[test]
fn every_misconfiguration_is_named() {
    for case in cases() {
        let finding = diagnosis(&case, NOW);
        assert!(
            finding.sentence.contains(case.says),
            "{} {}: {}\nexpected: {}",
            case.provider,
            case.scheme,
            finding.sentence,
            case.says
        );
        let is_hint = ["carries", "a signature header is repeated", "no near miss"].iter().any(|hint| case.says.contains(hint));
        assert_eq!(finding.is_near_miss, !is_hint, "{}", case.says);
        for secret in [TOKEN, OTHER, SVIX.trim_start_matches("whsec_")] {
            assert!(!finding.sentence.contains(secret), "{}", finding.sentence);
        }
    }
}

#[test]
fn what_is_right_but_old_is_called_so() {
    for (case, seconds, says) in [
        (case("resend", RESEND, RESEND, "svix", ""), NOW + 301, "right, but 301 s old: check this machine's clock"),
        (case("resend", RESEND, RESEND, "svix", ""), NOW - 3_600, "right, but 3600 s in the future"),
        (case("vonage", VONAGE, VONAGE, "jwt", ""), NOW + 900, "right, but 900 s old"),
        (
            case("vonage", &[("VONAGE_SIGNATURE_SECRET", TOKEN), ("VONAGE_SIGNATURE_TOLERANCE", "60")], VONAGE, "sms", ""),
            NOW + 61,
            "right, but 61 s old",
        ),
    ] {
        let finding = diagnosis(&case, seconds);
        assert!(finding.sentence.contains(says) && finding.is_near_miss, "{}", finding.sentence);
    }
    let wrong_and_old = Case { configured: &[("RESEND_WEBHOOK_SECRET", OTHER)], ..case("resend", RESEND, RESEND, "svix", "") };
    assert!(!diagnosis(&wrong_and_old, NOW + 301).is_near_miss);
}

/// Secrets for every proof of every provider, of one account or of two.
fn fresh(seed: u8, accounts: &[&str]) -> Vec<Endpoint> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for spec in providers::ALL {
        for setting in spec.settings {
            let SettingKind::Proof { fresh } = setting.kind else { continue };
            for (number, account) in (0..).zip(accounts) {
                let random = Sha256::digest([seed, number]).into();
                variables.push((format!("{}{account}{}", spec.prefix(), setting.name), fresh(&random)));
            }
        }
    }
    Config::load(&variables.into_iter().collect()).unwrap_or_else(|problems| panic!("{problems}")).config.endpoints
}

/// Under secrets that nobody signed with, nothing is nearly right.
#[test]
fn random_signatures_are_near_to_nothing() {
    for seed in 0..20 {
        let all = Endpoints::new(fresh(seed, &["_", "__ACME__"]), "https://hooks.example.com".parse().expect("a URL"));
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

/// Through the whole gateway: refused, nothing applied, and the finding stands in the table and says what it says here.
#[test]
fn nothing_that_is_nearly_right_is_believed() {
    for case in cases() {
        let variables: Vec<(String, String)> =
            case.configured.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = Timestamp::from_seconds(NOW).expect("an instant");
        let gateway = Gateway::on(Database::new(Backend::Sqlite), now, &variables);
        let path = endpoint(&endpoints(case.configured), case.provider).path();
        let mut outgoing = outgoing(&case, &path);
        if outgoing.headers.iter().any(|(name, _)| name == "Host") {
            // The test's client has a Host of its own.
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
            case.says
        );
        assert_eq!(gateway.row_counts(), before, "{}", case.says);
        gateway.running().gateway.rejections.close();
        let rows = gateway.database.rows("rejected_requests");
        assert_eq!(rows.len(), 1, "{}", case.says);
        let finding = rows[0]["finding"].as_str().expect("a finding");
        // A gateway of the tests listens at a port of its own.
        let is_of_port = case.says.contains(":8080");
        assert!(is_of_port || finding.contains(case.says), "{finding}\nexpected: {}", case.says);
    }
}
