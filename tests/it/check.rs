//! `waybill check`: all findings at once, the URLs to paste, and the state of the database.

use std::{fs, process::Output};

use serde_json::{Value, json};
use waybill::build_info::BUILD;

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

#[test]
fn check_shows_the_files_of_secrets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (token, url) = (folder.path().join("token"), folder.path().join("url"));
    fs::write(&token, format!("{TOKEN}\n")).expect("written");
    fs::write(&url, format!("sqlite://{}\n", folder.path().join("waybill.db").display())).expect("written");
    let (token, url) = (token.display().to_string(), url.display().to_string());
    let variables = [("TWILIO_AUTH_TOKEN_FILE", token.as_str()), ("DATABASE_URL_FILE", &url)];
    let (found, code) = report(&variables);
    let files =
        json!([{ "variable": "DATABASE_URL_FILE", "path": url }, { "variable": "TWILIO_AUTH_TOKEN_FILE", "path": token }]);
    assert_eq!((code, &found["secret_files"]), (Some(0), &files), "{found}");
    let shown = String::from_utf8(check(&[], &variables).stdout).expect("UTF-8");
    assert!(shown.contains(&format!("TWILIO_AUTH_TOKEN_FILE: read from {token}")) && !shown.contains(TOKEN), "{shown}");
    let missing = format!("{url}-missing");
    let (found, code) = report(&[("DATABASE_URL_FILE", &missing), ("TWILIO_AUTH_TOKEN_FILE", &missing)]);
    assert_eq!((code, found["errors"].as_array().map(Vec::len)), (Some(78), Some(2)), "{found}");
}

crate::databases! {
    fn check_reports_each_rejection_cause_once(database) {
        let url = database.url();
        let gateway = twilio::gateway(database, 1_773_502_200, &[]);
        let database = gateway.stop();
        let row = |finding: &str, second: u32| format!(
            "('twilio', 'default', 'mismatch', {finding}, 'POST', '/webhooks/twilio', '{{}}', {}, '2026-03-14 15:30:0{second}')",
            if matches!(database, Database::Sqlite { .. }) { "x''" } else { "''" },
        );
        let values = [row("'Give the URL a slash.'", 1), row("'Give the URL a slash.'", 2), row("NULL", 3), row("'Use the other token.'", 4)];
        database.make_rejected();
        database.execute(&format!(
            "INSERT INTO rejected_requests (service_type, account, cause, finding, method, url, headers, body, received_at) VALUES {}",
            values.join(", ")
        ));
        let variables = [("DATABASE_URL", url.as_str()), ("TWILIO_AUTH_TOKEN", TOKEN), ("SPOOL_PATH", "/var/spool/waybill")];
        let (report, code) = report(&variables);
        assert_eq!(code, Some(0), "forged requests make no configuration invalid");
        let found = |place: usize| (&report["findings"][place]["sentence"], &report["findings"][place]["callbacks"]);
        assert_eq!(found(0), (&json!("Use the other token."), &json!(1)));
        assert_eq!(found(1), (&json!("Give the URL a slash."), &json!(2)));
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(2));
        let shown = String::from_utf8(check(&[], &variables).stdout).expect("UTF-8");
        assert!(shown.starts_with(&format!("waybill {BUILD}\n")), "{shown}");
        assert!(shown.contains("twilio/default: 2 rejected, the last at 2026-03-14T15:30:02Z: Give the URL a slash."), "{shown}");
    }

    fn check_shows_urls_of_a_valid_configuration(database) {
        let url = database.url();
        let (report, code) = report(&[
            ("DATABASE_URL", &url),
            ("WEBHOOK_BASE_URL", "https://user:canary@hooks.example.com/in"),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO__ACME__AUTH_TOKEN", TOKEN),
            ("SPOOL_PATH", "/var/spool/waybill"),
        ]);
        let expected_url = |account: &str, path: &str| json!({
            "provider": "twilio", "account": account, "url": format!("https://hooks.example.com/in{path}#rc=5&rp=all"), "unsigned": null, "verified": true,
        });
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["valid"], true);
        assert_eq!(report["build"], serde_json::to_value(BUILD).expect("JSON"));
        assert_eq!(report["errors"], json!([]));
        assert_eq!(report["urls"], json!([expected_url("acme", "/webhooks/twilio/acme"), expected_url("default", "/webhooks/twilio")]));
        assert!(report["warnings"].to_string().contains("Resend is off"), "{report}");
        assert!(!report.to_string().contains("canary"), "{report}");
    }
}

#[test]
fn check_reports_every_problem_and_all_it_can_read() {
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
    assert_eq!(report["urls"][1]["provider"], "twilio", "valid parts are reported: {report}");
}

#[test]
fn check_distinguishes_unavailable_database_from_wrong_variable() {
    let (report, code) = report(&[("DATABASE_URL", "postgres://user@127.0.0.1:1/none"), ("TWILIO_AUTH_TOKEN", TOKEN)]);
    assert_eq!((code, &report["errors"][0]["variable"]), (Some(75), &json!("DATABASE_URL")));
    assert!(report["warnings"].to_string().contains("SPOOL_PATH"), "callbacks are lost without a spool: {report}");
}

#[test]
fn check_has_no_side_effects() {
    let database = Database::new(Backend::Sqlite);
    let Database::Sqlite { folder, .. } = &database else { panic!("SQLite") };
    let (_, code) = report(&[("DATABASE_URL", &database.url())]);
    assert_eq!(code, Some(0));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let (report, code) = report(&[("DATABASE_URL", "sqlite:///proc/waybill.db")]);
    assert_eq!((code, &report["errors"][0]["variable"]), (Some(1), &json!("DATABASE_URL")));
}

/// `check` rejects every configuration that `serve` would reject.
#[test]
fn check_rejects_newer_and_foreign_databases() {
    let database = Database::new(Backend::Sqlite);
    assert!(command().arg("migrate").env("DATABASE_URL", database.url()).status().expect("the binary").success());
    assert_eq!(report(&[("DATABASE_URL", &database.url())]).1, Some(0));
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')");
    let (newer, code) = report(&[("DATABASE_URL", &database.url())]);
    assert_eq!(code, Some(1));
    assert!(newer["errors"][0]["sentence"].as_str().is_some_and(|sentence| sentence.contains("newer version")), "{newer}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "not a database, but long enough to be read as one".repeat(100)).expect("written");
    assert_eq!(report(&[("DATABASE_URL", &format!("sqlite://{}", file.path().display()))]).1, Some(75));
    assert_eq!(report(&[("DATABASE_URL", &format!("sqlite://{}/below/a/file.db", file.path().display()))]).1, Some(1));
}

#[test]
fn check_reports_disabled_and_unverified_endpoints() {
    let database = Database::new(Backend::Sqlite);
    let url = database.url();
    let (named, code) = report(&[("DATABASE_URL", &url), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__ACME__ACCOUNT_SID", "AC1")]);
    assert_eq!(code, Some(0));
    assert!(named["warnings"].to_string().contains("the account acme has no proof of its own"), "{named}");
    let (shared, _) = report(&[("DATABASE_URL", &url), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO__ACME__AUTH_TOKEN", TOKEN)]);
    assert!(shared["warnings"].to_string().contains("shares a secret with the account acme"), "{shared}");
    let (open, _) = report(&[("DATABASE_URL", &url), ("VERIFY_WEBHOOK_SIGNATURES", "false")]);
    let urls: usize = waybill::providers::ALL.iter().map(|spec| 1 + spec.routes.len()).sum();
    assert!(open["urls"].as_array().is_some_and(|list| list.len() == urls && list[0]["verified"] == false));
    assert!(open["warnings"].to_string().contains("for development only"), "{open}");
    let key = ("TWILIO_SHARED_KEY", "id:HMAC_SHA256:0123456789abcdef");
    let (unusable, code) = report(&[("DATABASE_URL", &url), key, ("TWILIO_SIGNATURE_SCHEMES", "body-sha256")]);
    assert_eq!((code, &unusable["errors"][0]["variable"]), (Some(78), &json!("TWILIO_SIGNATURE_SCHEMES")));
}

#[test]
fn check_prints_a_table_and_sentences() {
    let database = Database::new(Backend::Sqlite);
    let output = check(&[], &[("DATABASE_URL", &database.url()), ("TWILIO_AUTH_TOKEN", TOKEN), ("LISTEN", "127.0.0.1:9999")]);
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    for part in
        ["http://127.0.0.1:9999/webhooks/twilio#rc=5&rp=all", "every callback is signed", "warning: WEBHOOK_BASE_URL", "is valid"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

/// The variables of a spool that is at fault, and the finding: its kind, its variable, and words of its sentence.
type Spool<'c> = (&'c [(&'c str, &'c str)], [&'c str; 3]);

#[test]
fn check_examines_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, below) = (folder.path().join("file"), folder.path().join("file/spool"));
    fs::write(&file, "").expect("a file");
    let [file, below] = [file, below].map(|path| path.display().to_string());
    let new = folder.path().join("new/spool").display().to_string();
    let cases: [Spool<'_>; 9] = [
        (&[("SPOOL_PATH", "/proc/spool")], ["errors", "SPOOL_PATH", "/proc"]),
        (&[("SPOOL_PATH", &file)], ["errors", "SPOOL_PATH", "is not a directory"]),
        (&[("SPOOL_PATH", &below)], ["errors", "SPOOL_PATH", "is not a directory"]),
        (&[("SPOOL_PATH", "/dev/shm/none/spool")], ["warnings", "SPOOL_PATH", "is in memory"]),
        (&[("SPOOL_PATH", &new), ("SPOOL_MAX_BYTES", "999999999999999999")], ["warnings", "SPOOL_MAX_BYTES", "too few"]),
        (&[("SPOOL_PATH", &new), ("WEBHOOK_TIMEOUT", "2")], ["warnings", "WEBHOOK_TIMEOUT", "if the database hangs"]),
        (
            &[("SPOOL_PATH", &new), ("SPOOL_MODE", "always"), ("UNKNOWN_MESSAGE_RESPONSE", "not-found")],
            ["warnings", "UNKNOWN_MESSAGE_RESPONSE", "answers 200"],
        ),
        (&[("DATABASE_URL", "postgres://user@127.0.0.1:1/none")], ["warnings", "SPOOL_PATH", "not every provider retries"]),
        (&[("SPOOL_MAX_BYTES", "1048576")], ["warnings", "SPOOL_MAX_BYTES", "no effect without SPOOL_PATH"]),
    ];
    let database = Database::ready(Backend::Sqlite);
    let url = database.url();
    for (variables, [kind, variable, words]) in cases {
        let (report, code) = report(&[&[("DATABASE_URL", url.as_str()), ("TWILIO_AUTH_TOKEN", TOKEN)], variables].concat());
        let is_expected = |finding: &Value| finding["variable"] == variable && finding["sentence"].to_string().contains(words);
        assert!(report[kind].as_array().expect("findings").iter().any(is_expected), "{variables:?}: {report:#}");
        assert!(kind == "warnings" || code == Some(78), "{variables:?}");
        if kind == "errors" {
            let mut serve = command();
            serve.arg("serve").env("DATABASE_URL", &url).env("TWILIO_AUTH_TOKEN", TOKEN).envs(variables.iter().copied());
            assert_eq!(serve.output().expect("the binary").status.code(), Some(78), "{variables:?}");
        }
    }
    assert!(!folder.path().join("new").exists(), "nothing is created");
}
