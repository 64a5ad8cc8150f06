//! Secrets in files: `<VARIABLE>_FILE` in place of `<VARIABLE>`.

use std::{fs, path::Path};

use waybill::{
    config::{Config, Env, Inspected},
    providers,
    time::Timestamp,
};

use crate::support::{
    database::Backend,
    gateway::{Gateway, PUBLIC_URL},
    random, twilio,
};

fn inspect(variables: &[(&str, &str)]) -> Inspected {
    Config::inspect(&variables.iter().copied().collect::<Env>())
}

/// The problems, as shown.
fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    inspect(variables).problems.iter().map(ToString::to_string).collect()
}

fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, content).expect("written");
    path.display().to_string()
}

#[test]
fn every_secret_may_be_in_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for spec in providers::ALL {
        for infix in ["_", "__ACME__"] {
            let values = spec.generate_variables(infix, &random(1));
            assert!(values.iter().all(|(_, value)| value.len() > 16), "{values:?}");
            let files: Vec<(String, String)> = values
                .iter()
                .map(|(name, value)| (format!("{name}_FILE"), file(folder.path(), name, format!("{value}\n"))))
                .collect();
            let load = |variables: &[(String, String)]| {
                let loaded =
                    Config::load(&variables.iter().cloned().collect::<Env>()).unwrap_or_else(|problems| panic!("{problems}"));
                let endpoint = loaded.config.endpoints.into_iter().next().expect("an endpoint").build();
                let urls = endpoint.urls_to_paste(&"https://h".parse().expect("a URL"));
                let mut outgoing = endpoint.outgoing("POST", endpoint.path(), "application/json", "{}");
                endpoint.sign(endpoint.spec.schemes[0], &mut outgoing);
                (urls, outgoing.headers, loaded.warnings.len())
            };
            assert_eq!(load(&files), load(&values), "{}{infix}", spec.name);
        }
    }
    let token = "a-token-of-the-tests-0f3b7c1d9e5a";
    let read_token = file(folder.path(), "read", "another-token-of-the-tests-5c1d9e");
    let variables = [
        ("OPS_TOKEN_FILE", &*file(folder.path(), "ops", format!("{token}\r\n"))),
        ("OPS_READ_TOKEN_FILE", &read_token),
        ("DATABASE_URL_FILE", &*file(folder.path(), "url", "sqlite:///var/lib/waybill/other.db\n")),
        ("RESEND_API_KEY_FILE", &read_token),
    ];
    let Inspected { config, problems, warnings, secret_files } = inspect(&variables);
    assert!(problems.is_empty() && warnings.iter().all(|one| !one.variable.ends_with("_FILE")), "{problems:?} {warnings:?}");
    assert!(config.ops_token.expect("a token").matches(token.as_bytes()));
    assert!(config.ops_read_token.expect("a token").matches(b"another-token-of-the-tests-5c1d9e"));
    assert!(format!("{:?}", config.database).contains("other.db"));
    assert_eq!(secret_files.len(), 4);
}

#[test]
fn callbacks_verify_with_a_secret_of_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // As editors on Windows write it, and with a secret for a rotation.
    let path = file(folder.path(), "token", format!("\u{feff}fedcba9876543210fedcba9876543210,{}\r\n", twilio::TOKEN));
    let now = Timestamp::from_seconds(1_000).expect("an instant");
    let gateway = Gateway::start(Backend::Sqlite, now, &[("TWILIO_AUTH_TOKEN_FILE".to_owned(), path)]);
    let env: Env = [("TWILIO_AUTH_TOKEN", twilio::TOKEN), ("WEBHOOK_BASE_URL", PUBLIC_URL)].into_iter().collect();
    let signer = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let mut outgoing =
        signer.outgoing("POST", signer.path(), "application/x-www-form-urlencoded", "MessageSid=SM1&MessageStatus=sent");
    signer.sign(signer.spec.schemes[0], &mut outgoing);
    assert_eq!(gateway.send(&outgoing).status, 200);
    assert_eq!(gateway.database.rows("webhook_requests")[0]["verified_by"], "request:1");
}

#[test]
fn unusable_file_is_a_problem_with_its_variable_and_path() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let canary = "canary-3f1c9a0e5b7d4268";
    let name = |name: &str| folder.path().join(name).display().to_string();
    let directory = folder.path().display().to_string();
    let fits = file(folder.path(), "fits", "0123456789abcdef".repeat(4096));
    for (path, expected) in [
        (name("missing"), "No such file"),
        (directory, "is not a file"),
        (file(folder.path(), "empty", ""), "is empty"),
        (file(folder.path(), "blank", " \r\n"), "is empty"),
        (file(folder.path(), "binary", [b"canary-".as_slice(), &[0xff, 0xfe]].concat()), "is not UTF-8"),
        (file(folder.path(), "wide", "canary-3f1c".chars().flat_map(|c| [c, '\0']).collect::<String>()), "more than one line"),
        (file(folder.path(), "lines", format!("{canary}\n{canary}x\n")), "a comma between two secrets"),
        (file(folder.path(), "large", format!("{}x", "0123456789abcdef".repeat(4096))), "more than 64 KiB"),
    ] {
        for variable in ["TWILIO_AUTH_TOKEN_FILE", "VONAGE__ACME__URL_TOKEN_FILE", "OPS_TOKEN_FILE", "DATABASE_URL_FILE"] {
            let found = problems(&[(variable, &path)]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("{variable}: ")) && found[0].contains(expected), "{expected}: {found:?}");
            assert!(found[0].contains(&path) && !found[0].contains("canary"), "{found:?}");
        }
    }
    assert_eq!(problems(&[("TWILIO_AUTH_TOKEN_FILE", &fits)]), [""; 0], "64 KiB");
    assert!(problems(&[("TWILIO_AUTH_TOKEN_FILE", " ")])[0].starts_with("TWILIO_AUTH_TOKEN_FILE: expected the path"));
    // A secret that was set in place of a path.
    for secret in ["3f1c9a0e5b7d42688c14d2a96f0b7e35", "whsec_AQIDBAUGBwgJCgsMDQ4/EBESExQVFhcYGRobHB0eHyA="] {
        let found = problems(&[("RESEND_WEBHOOK_SECRET_FILE", secret)]);
        assert!(found.len() == 1 && !found[0].contains(secret), "{found:?}");
    }
}

#[test]
fn secret_and_its_file_exclude_each_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = file(folder.path(), "secret", twilio::TOKEN);
    for variable in ["TWILIO_AUTH_TOKEN", "TWILIO__ACME__AUTH_TOKEN", "OPS_TOKEN", "DATABASE_URL"] {
        let value = if variable == "DATABASE_URL" { "sqlite://waybill.db" } else { twilio::TOKEN };
        let found = problems(&[(variable, value), (&format!("{variable}_FILE"), &path)]);
        assert_eq!(found, [format!("{variable}_FILE: expected either this or {variable}, not both")]);
    }
    // Not the same account's.
    assert_eq!(problems(&[("TWILIO_AUTH_TOKEN", twilio::TOKEN), ("TWILIO__ACME__AUTH_TOKEN_FILE", &path)]), [""; 0]);
}

/// A finding about the content of a file names the variable that the operator set.
#[test]
fn content_of_a_file_is_checked_like_a_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (variable, content) in [
        ("TWILIO_AUTH_TOKEN_FILE", "changeme"),
        ("TWILIO__ACME__AUTH_TOKEN_FILE", "your_auth_token"),
        ("RESEND_WEBHOOK_SECRET_FILE", "whsec_!!!"),
        ("SIGNALWIRE_URL_TOKEN_FILE", "short"),
        ("OPS_TOKEN_FILE", "hunter2"),
        ("OPS_READ_TOKEN_FILE", "changeme"),
        ("DATABASE_URL_FILE", "mysql://h/d"),
    ] {
        let found = problems(&[(variable, &file(folder.path(), "content", content))]);
        assert!(found.iter().all(|one| one.starts_with(&format!("{variable}: "))) && !found.is_empty(), "{variable}: {found:?}");
    }
    let path = file(folder.path(), "sid", "AC00000000000000000000000000000000");
    let warnings = inspect(&[("TWILIO_AUTH_TOKEN", twilio::TOKEN), ("TWILIO_ACCOUNT_SID_FILE", &path)]).warnings;
    let is_reported =
        |one: &waybill::config::Finding| one.variable == "TWILIO_ACCOUNT_SID_FILE" && one.sentence.contains("no effect");
    assert!(warnings.iter().any(is_reported), "an account is no secret: {warnings:?}");
}
