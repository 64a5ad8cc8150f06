//! `waybill check`: every finding at once, the URLs to paste, and the database.

use std::process::Output;

use serde_json::{Value, json};

use crate::{
    shutdown::command,
    support::{
        database::{Backend, Database},
        twilio::{self, TOKEN},
    },
};

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command().arg("check").args(arguments).envs(variables.iter().copied()).output().expect("the binary")
}

fn report(variables: &[(&str, &str)]) -> (Value, Option<i32>) {
    let output = check(&["--json"], variables);
    (serde_json::from_slice(&output.stdout).expect("JSON on standard output"), output.status.code())
}

crate::databases! {
    fn why_callbacks_were_refused_is_told_once_for_each_cause(database) {
        let url = database.url();
        let gateway = twilio::gateway(database, 1_773_502_200, &[]);
        let database = gateway.stop();
        let row = |finding: &str, second: u32| format!(
            "('twilio', 'default', 'mismatch', {finding}, 'POST', '/webhooks/twilio', '{{}}', {}, '2026-03-14 15:30:0{second}')",
            if matches!(database, Database::Sqlite { .. }) { "x''" } else { "''" },
        );
        let values = [row("'Give the URL a slash.'", 1), row("'Give the URL a slash.'", 2), row("NULL", 3), row("'Use the other token.'", 4)];
        database.execute(&format!(
            "INSERT INTO rejected_requests (service_type, account, cause, finding, method, url, headers, body, received_at) VALUES {}",
            values.join(", ")
        ));
        let variables = [("DATABASE_URL", url.as_str()), ("TWILIO_AUTH_TOKEN", TOKEN), ("SPOOL_PATH", "/var/spool/waybill")];
        let (report, code) = report(&variables);
        assert_eq!(code, Some(0), "a stranger's forgeries make no configuration wrong");
        let found = |place: usize| (&report["findings"][place]["sentence"], &report["findings"][place]["callbacks"]);
        assert_eq!(found(0), (&json!("Use the other token."), &json!(1)));
        assert_eq!(found(1), (&json!("Give the URL a slash."), &json!(2)));
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(2));
        let shown = String::from_utf8(check(&[], &variables).stdout).expect("UTF-8");
        assert!(shown.contains("twilio/default: 2 refused, the last at 2026-03-14T15:30:02Z: Give the URL a slash."), "{shown}");
    }

    fn a_valid_configuration_is_told_with_its_urls(database) {
        let url = database.url();
        let (report, code) = report(&[
            ("DATABASE_URL", &url),
            ("WEBHOOK_BASE_URL", "https://user:canary@hooks.example.com/in"),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO__ACME__AUTH_TOKEN", TOKEN),
            ("SPOOL_PATH", "/var/spool/waybill"),
        ]);
        let pasted = |account: &str, path: &str| json!({
            "provider": "twilio", "account": account, "url": format!("https://hooks.example.com/in{path}#rc=5&rp=all"), "unsigned": null, "verified": true,
        });
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["valid"], true);
        assert_eq!(report["errors"], json!([]));
        assert_eq!(report["urls"], json!([pasted("acme", "/webhooks/twilio/acme"), pasted("default", "/webhooks/twilio")]));
        assert!(report["warnings"].to_string().contains("Resend is off"), "{report}");
        assert!(!report.to_string().contains("canary"), "{report}");
    }
}

#[test]
fn every_problem_is_told_with_what_can_be_told_all_the_same() {
    let (report, code) = report(&[
        ("DATABASE_URL", "mysql://h/d"),
        ("LISTEN", "127.0.0.1:8080"),
        ("OPS_LISTEN", "127.0.0.1:8080"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,somewhere"),
        ("WEBHOOK_RATE_LIMIT", "many"),
        ("RETENTION_DAYS", "long"),
        ("UNKNOWN_MESSAGE_RESPONSE", "shrug"),
        ("RESEND_WEBHOOK_SECRET", "changeme"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_SHARED_KEY", "id:HMAC_MD5:0123456789abcdef"),
        ("TWILIO_TYPO", "x"),
        ("WEBHOOK_BASE_URL", "https://my_host.example"),
    ]);
    assert_eq!((code, &report["valid"]), (Some(78), &json!(false)));
    let named = |list: &str| -> Vec<String> {
        let findings = report[list].as_array().expect("a list");
        findings.iter().map(|finding| finding["variable"].as_str().expect("a name").to_owned()).collect()
    };
    let (errors, warnings) = (named("errors"), named("warnings"));
    for variable in [
        "DATABASE_URL",
        "OPS_LISTEN",
        "TRUSTED_PROXIES",
        "WEBHOOK_RATE_LIMIT",
        "RETENTION_DAYS",
        "UNKNOWN_MESSAGE_RESPONSE",
        "RESEND_WEBHOOK_SECRET",
        "TWILIO_SHARED_KEY",
    ] {
        assert!(errors.iter().any(|error| error == variable), "{variable} in {errors:?}");
    }
    assert_eq!(errors.len(), 8, "{errors:?}");
    assert!(["TWILIO_TYPO", "WEBHOOK_BASE_URL"].iter().all(|variable| warnings.iter().any(|warning| warning == variable)));
    assert_eq!(report["urls"][1]["provider"], "twilio", "what can be told is told: {report}");
}

#[test]
fn a_database_that_is_away_is_told_apart_from_a_wrong_variable() {
    let (report, code) = report(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"), ("TWILIO_AUTH_TOKEN", TOKEN)]);
    assert_eq!((code, &report["errors"][0]["variable"]), (Some(75), &json!("DATABASE_URL")));
    assert!(report["warnings"].to_string().contains("SPOOL_PATH"), "without a spool that is a loss: {report}");
}

#[test]
fn a_look_creates_nothing_and_a_locked_folder_is_found() {
    let database = Database::new(Backend::Sqlite);
    let Database::Sqlite { folder } = &database else { panic!("SQLite") };
    let (_, code) = report(&[("DATABASE_URL", &database.url())]);
    assert_eq!(code, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let (report, code) = report(&[("DATABASE_URL", "sqlite:///proc/waybill.db")]);
    assert_eq!((code, &report["errors"][0]["variable"]), (Some(1), &json!("DATABASE_URL")));
}

/// What `serve` would refuse, `check` refuses.
#[test]
fn a_database_of_a_newer_version_and_one_that_is_no_database_are_refused() {
    let database = Database::new(Backend::Sqlite);
    assert!(command().arg("migrate").env("DATABASE_URL", database.url()).status().expect("the binary").success());
    assert_eq!(report(&[("DATABASE_URL", &database.url())]).1, Some(0));
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')");
    let (newer, code) = report(&[("DATABASE_URL", &database.url())]);
    assert_eq!(code, Some(1));
    assert!(newer["errors"][0]["sentence"].as_str().is_some_and(|sentence| sentence.contains("newer version")), "{newer}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "no database at all, but long enough to be looked at".repeat(100)).expect("written");
    assert_eq!(report(&[("DATABASE_URL", &format!("sqlite://{}", file.path().display()))]).1, Some(75));
    assert_eq!(report(&[("DATABASE_URL", &format!("sqlite://{}/below/a/file.db", file.path().display()))]).1, Some(1));
}

#[test]
fn what_is_off_or_not_verified_is_said() {
    let database = Database::new(Backend::Sqlite);
    let url = database.url();
    let (named, code) = report(&[("DATABASE_URL", &url), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__ACME__ACCOUNT_SID", "AC1")]);
    assert_eq!(code, Some(0));
    assert!(named["warnings"].to_string().contains("the account acme has no proof of its own"), "{named}");
    let (shared, _) = report(&[("DATABASE_URL", &url), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__ACME__AUTH_TOKEN", TOKEN)]);
    assert!(shared["warnings"].to_string().contains("shares a secret with the account acme"), "{shared}");
    let (open, _) = report(&[("DATABASE_URL", &url), ("VERIFY_WEBHOOK_SIGNATURES", "false")]);
    let urls: usize = waybill::providers::ALL.into_iter().map(|spec| 1 + spec.routes.len()).sum();
    assert!(open["urls"].as_array().is_some_and(|list| list.len() == urls && list[0]["verified"] == false));
    assert!(open["warnings"].to_string().contains("for development only"), "{open}");
    let key = ("TWILIO_SHARED_KEY", "id:HMAC_SHA256:0123456789abcdef");
    let (unusable, code) = report(&[("DATABASE_URL", &url), key, ("TWILIO_SIGNATURE_SCHEMES", "body-sha256")]);
    assert_eq!((code, &unusable["errors"][0]["variable"]), (Some(78), &json!("TWILIO_SIGNATURE_SCHEMES")));
}

#[test]
fn people_get_a_table_and_sentences() {
    let database = Database::new(Backend::Sqlite);
    let output = check(&[], &[("DATABASE_URL", &database.url()), ("TWILIO_AUTH_TOKEN", TOKEN), ("LISTEN", "127.0.0.1:9999")]);
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    for part in
        ["http://127.0.0.1:9999/webhooks/twilio#rc=5&rp=all", "every callback is signed", "warning: WEBHOOK_BASE_URL", "is valid"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
