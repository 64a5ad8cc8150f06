//! `.env.example` and the tables of providers are generated from the registry. `UPDATE_DOCS=1` writes them.

use std::{fmt::Write, fs, path::Path};

use strum::VariantArray;
use waybill::{
    config::{Config, Env, variables},
    fixture::Fixture,
    provider::{SettingKind, Spec},
    providers,
    signature::{Outgoing, Scheme},
    status::ErrorCategory,
    time::Timestamp,
};

use crate::support::{self, database::Database, gateway};

fn check(file: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if support::variable("UPDATE_DOCS").is_some() {
        fs::write(&path, wanted).expect("a writable file");
    }
    let seen = fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == wanted, "{file} is not what the registry says; run UPDATE_DOCS=1 ./test --test it docs");
}

/// The settings that every provider has.
fn common(spec: &Spec) -> Vec<(String, String, String)> {
    let prefix = spec.prefix();
    let schemes: Vec<&str> = spec.signatures().map(|scheme| scheme.name).collect();
    vec![
        (
            format!("{prefix}_SIGNATURE_SCHEMES"),
            schemes.join(","),
            "Accepted signature schemes, a comma-separated list.".to_owned(),
        ),
        (format!("{prefix}_WEBHOOK_URL"), spec.default_path(), "Path of the endpoint.".to_owned()),
        (
            format!("{prefix}_INVALID_PAYLOAD"),
            spec.invalid_payload.as_ref().to_owned(),
            "Response to a verified payload that cannot be parsed: `bad-request` or `accept`. It is stored in either case."
                .to_owned(),
        ),
        (
            format!("{prefix}_MATCH_UNSCOPED_REFERENCES"),
            "false".to_owned(),
            "Callbacks of named accounts also match messages registered without an account, and row ids: `true` or `false`."
                .to_owned(),
        ),
        (
            format!("{prefix}__WEBHOOK_BASE_URL"),
            "https://hooks.example.com".to_owned(),
            "Public origin, if it differs from WEBHOOK_BASE_URL.".to_owned(),
        ),
    ]
}

fn env_example() -> String {
    let mut text = String::from(
        "# Every variable, with its default or an example. Copy this file to `.env`. The environment of the process takes precedence.\n\
         # A secret may be in a file instead: `<VARIABLE>_FILE` is its path.\n",
    );
    for variable in variables::ALL {
        let shown = if variable.default.is_empty() { String::new() } else { variable.default.to_owned() };
        writeln!(text, "\n# {}\n# {}={shown}", variable.doc, variable.name).expect("text");
        if variable.is_secret() {
            writeln!(text, "# {}_FILE=", variable.name).expect("text");
        }
    }
    for spec in providers::ALL {
        let (title, prefix) = (spec.title, spec.prefix());
        writeln!(
            text,
            "\n# {title}. For a named account, use the prefix {prefix}__ACME__ and the URL {}/acme.",
            spec.default_path()
        )
        .expect("text");
        for setting in spec.settings {
            let list = if setting.kind == SettingKind::Proof { " During a rotation, a comma-separated list." } else { "" };
            writeln!(text, "# {}{list}\n# {prefix}_{}={}", setting.doc, setting.name, setting.example).expect("text");
            if setting.kind.is_secret() {
                writeln!(text, "# {prefix}_{}_FILE=", setting.name).expect("text");
            }
        }
        for (name, default, doc) in common(spec) {
            writeln!(text, "# {doc}\n# {name}={default}").expect("text");
        }
    }
    text
}

/// The variable that switches the provider on, with the value of the examples.
fn proof(spec: &Spec) -> (String, String) {
    let proof = spec.settings.iter().find(|setting| setting.kind == SettingKind::Proof).expect("a proof");
    (format!("{}_{}", spec.prefix(), proof.name), proof.example.to_owned())
}

const LOCAL: &str = "http://127.0.0.1:8080";

/// The guide's test callback, signed with the example secret by a scheme that signs no time.
fn curl(spec: &'static Spec) -> Outgoing {
    let env: Env = [proof(spec), ("WEBHOOK_BASE_URL".to_owned(), LOCAL.to_owned())].into_iter().collect();
    let endpoint = Config::load(&env).expect("a configuration").config.endpoints.remove(0).build();
    let fixtures = Fixture::all().expect("fixtures");
    // Where the guide shows no call, its first payload.
    let named = |name: &str| fixtures.iter().find(|case| case.spec.name == spec.name && case.name == name);
    let fixture =
        ["guide-receipt", "guide-curl", "guide-structure"].into_iter().find_map(named).expect("a case of the guide").clone();
    let scheme = spec.schemes.iter().find(|scheme| scheme.tolerance.is_none()).expect("a scheme without time");
    let mut outgoing = endpoint.outgoing("POST", endpoint.path(), &fixture.request.headers["Content-Type"], fixture.body);
    endpoint.sign(scheme, &mut outgoing);
    outgoing
}

fn names(schemes: impl Iterator<Item = &'static Scheme>) -> String {
    schemes.map(|scheme| format!("`{}`", scheme.name)).collect::<Vec<_>>().join(", ")
}

/// The README's table: one line per provider.
fn provider_summary() -> String {
    let mut text =
        String::from("| provider | URL | enabled by | signatures | without a signature |\n| --- | --- | --- | --- | --- |\n");
    for spec in providers::ALL {
        let (title, path, (variable, _)) = (spec.title, spec.default_path(), proof(spec));
        let unsigned = names(spec.schemes.iter().copied().filter(|scheme| !scheme.covers_payload));
        writeln!(text, "| {title} | `{path}` | `{variable}` | {} | {unsigned} |", names(spec.signatures())).expect("text");
    }
    text
}

fn provider_table() -> String {
    let mut text = String::from("| provider | URL | enabled by | schemes | named account |\n| --- | --- | --- | --- | --- |\n");
    for spec in providers::ALL {
        let (variable, _) = proof(spec);
        let account = variable.replacen('_', "__ACME__", 1);
        writeln!(
            text,
            "| {} | `{}{}` | `{variable}` | {} | `{account}`, at `{}/acme` |",
            spec.title,
            spec.default_path(),
            spec.url_suffix,
            names(spec.schemes.iter().copied()),
            spec.default_path()
        )
        .expect("text");
    }
    text
}

fn provider_steps() -> String {
    let mut text = String::new();
    for spec in providers::ALL {
        writeln!(text, "### {}\n", spec.title).expect("text");
        for (number, step) in spec.console.iter().enumerate() {
            writeln!(text, "{}. {step}", number + 1).expect("text");
        }
        let (variable, value) = proof(spec);
        let Outgoing { headers, body, .. } = curl(spec);
        writeln!(text, "\nTo test it, set `{variable}={value}`, leave `WEBHOOK_BASE_URL` unset, and send:\n\n```sh")
            .expect("text");
        write!(text, "curl -i {LOCAL}{}", spec.default_path()).expect("text");
        for (name, value) in headers {
            write!(text, " \\\n  -H '{name}: {value}'").expect("text");
        }
        writeln!(text, " \\\n  --data-binary '{}'\n```\n", String::from_utf8(body).expect("UTF-8")).expect("text");
    }
    text
}

/// The coverage of each scheme of each provider.
fn scheme_table() -> String {
    let mut text = String::from("| provider | scheme | covers | leaves open |\n| --- | --- | --- | --- |\n");
    for spec in providers::ALL {
        for scheme in spec.schemes {
            let (title, Scheme { name, covers, leaves_open, .. }) = (spec.title, scheme);
            writeln!(text, "| {title} | `{name}` | {covers} | {leaves_open} |").expect("text");
        }
    }
    text
}

/// A document with its generated blocks.
fn document(file: &str, blocks: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut text = fs::read_to_string(path).expect("a document");
    for (name, generated) in blocks {
        let (open, close) = (format!("<!-- providers: {name} -->\n"), format!("<!-- end: {name} -->"));
        let start = text.find(&open).expect("the opening mark") + open.len();
        let end = text.find(&close).expect("the closing mark");
        text.replace_range(start..end, generated);
    }
    text
}

#[test]
fn env_example_is_complete() {
    check(".env.example", &env_example());
}

#[test]
fn documents_match_registry() {
    check("README.md", &document("README.md", &[("summary", provider_summary())]));
    let providers = [("table", provider_table()), ("steps", provider_steps())];
    check("docs/providers.md", &document("docs/providers.md", &providers));
    check("SECURITY.md", &document("SECURITY.md", &[("schemes", scheme_table())]));
}

/// The values in `.env.example` are valid, and enable every provider.
#[test]
fn error_categories_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md");
    let document = fs::read_to_string(path).expect("docs/providers.md");
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    for category in ErrorCategory::VARIANTS {
        assert!(rows.iter().any(|row| row.contains(&format!("`{}`", category.as_ref()))), "{category:?}");
    }
}

#[test]
fn env_example_starts_with_every_line_uncommented() {
    let lines: Vec<(String, String)> = env_example()
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
        .filter(|(name, value)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let loaded = Config::load(&lines.into_iter().collect()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.endpoints.len(), providers::ALL.len());
}

crate::databases! {
    fn documented_curls_are_accepted(database) {
        let mut variables: Vec<(String, String)> = providers::ALL.iter().map(|spec| proof(spec)).collect();
        variables.push(("WEBHOOK_BASE_URL".to_owned(), LOCAL.to_owned()));
        let gateway = gateway::Gateway::start_on(database, Timestamp::from_seconds(0).expect("an instant"), &variables);
        for spec in providers::ALL {
            assert_eq!(gateway.send(&curl(spec)).status, 200, "{}", spec.title);
        }
    }
}
