//! The dashboard, the alert rules and the documentation use existing metrics. `UPDATE_DOCS=1` writes the table of
//! docs/monitoring.md. `tests/monitoring/check` runs promtool.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::Path,
};

use serde_json::Value;

use crate::support::{
    self, client,
    database::{Backend, Database},
    metrics::Metrics,
    twilio,
};

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// An exposition in which every metric has a sample.
fn exposition() -> String {
    let gateway = twilio::gateway(Database::new(Backend::Sqlite), 0, &[]);
    assert_eq!(twilio::form(&gateway, "MessageSid=SM1&MessageStatus=odd").status, 200);
    let event = serde_json::json!([{
        "specversion": "1.0", "source": "s", "id": "1", "type": "com.twilio.messaging.message.sent",
        "time": "1970-01-01T00:00:00Z", "data": { "messageSid": "SM1" },
    }]);
    assert_eq!(twilio::json(&gateway, &event).status, 200);
    assert_eq!(gateway.post(twilio::PATH, &[], b"").status, 401);
    let too_large = format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n", twilio::PATH);
    assert_eq!(client::exchange(gateway.address(), too_large.as_bytes()).status, 413);
    gateway.running().gateway.refresh_gauges().expect("gauges");
    gateway.running().gateway.exposition().expect("an exposition")
}

/// A metric as documented.
struct Metric {
    /// With `_total` for a counter.
    name: String,
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

fn metrics(exposition: &str) -> Vec<Metric> {
    let metadata = |keyword: &str| -> BTreeMap<String, String> {
        let lines =
            exposition.lines().filter_map(|line| line.strip_prefix("# ")?.strip_prefix(keyword)?.trim_start().split_once(' '));
        lines.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let samples = Metrics::parse(exposition).0;
    let kinds = metadata("TYPE");
    let helps = metadata("HELP");
    let metric = |(name, help): (&String, &String)| {
        let kind = kinds[name].clone();
        let belongs_to =
            |sample: &str| sample.strip_prefix(name.as_str()).is_some_and(|rest| ["", "_total", "_bucket"].contains(&rest));
        let labels: Vec<&BTreeMap<String, String>> =
            samples.iter().filter(|sample| belongs_to(&sample.name)).map(|sample| &sample.labels).collect();
        assert!(!labels.is_empty(), "{name} has no value");
        let labels = labels.into_iter().flat_map(|labels| labels.keys().cloned()).filter(|label| label != "le").collect();
        let name = if kind == "counter" { format!("{name}_total") } else { name.clone() };
        Metric { name, kind, labels, help: help.clone() }
    };
    let mut metrics: Vec<Metric> = helps.iter().map(metric).collect();
    metrics.sort_by(|one, other| one.name.cmp(&other.name));
    metrics
}

#[test]
fn documentation_lists_every_metric() {
    let mut table = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for Metric { name, kind, labels, help } in metrics(&exposition()) {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).expect("text");
    }
    let mut expected = read("docs/monitoring.md");
    let start = expected.find("<!-- metrics: table -->\n").expect("the opening mark") + "<!-- metrics: table -->\n".len();
    let end = expected.find("<!-- end: table -->").expect("the closing mark");
    expected.replace_range(start..end, &table);
    if support::variable("UPDATE_DOCS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md"), &expected).expect("a writable file");
    }
    assert!(
        read("docs/monitoring.md") == expected,
        "docs/monitoring.md differs from the registry; run UPDATE_DOCS=1 ./test --test it monitoring"
    );
    for outcome in ["accepted", "duplicate", "quarantined", "ignored", "rejected", "failed"] {
        assert!(expected.contains(&format!("| `{outcome}` |")), "{outcome}");
    }
}

/// Names of metrics in an expression.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("waybill_")).collect()
}

/// Asserts that every metric and label in an expression exists.
fn assert_known(metrics: &[Metric], what: &str, expression: &str) {
    let mut known: BTreeMap<String, &BTreeSet<String>> = BTreeMap::new();
    for Metric { name, kind, labels, .. } in metrics {
        let endings: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        known.extend(endings.iter().map(|ending| (format!("{name}{ending}"), labels)));
    }
    let names = names(expression);
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "{what} names {unknown:?}, which is no metric");
    let labels: BTreeSet<&str> = names.iter().flat_map(|name| known[*name].iter().map(String::as_str)).collect();
    let grouped = expression.split(" by (").skip(1).filter_map(|rest| rest.split(')').next()).flat_map(|list| list.split(','));
    let matched = expression
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .flat_map(|list| list.split("\",").filter_map(|matcher| matcher.split(['=', '!']).next()));
    for label in grouped.chain(matched).map(str::trim) {
        assert!(labels.contains(label) || ["le", "instance", "job"].contains(&label), "{what} uses the unknown label {label}");
    }
}

#[test]
fn dashboard_uses_existing_metrics() {
    let metrics = metrics(&exposition());
    let text = read("docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_i64().expect("an id")), "{title}: its id is used twice");
        assert!(
            places.insert((panel["gridPos"]["y"].as_i64(), panel["gridPos"]["x"].as_i64())),
            "{title}: its place is used twice"
        );
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert_known(&metrics, title, target["expr"].as_str().expect("an expression"));
        }
    }
    for variable in ["datasource", "provider", "account"] {
        let list = dashboard["templating"]["list"].as_array().expect("variables");
        assert!(list.iter().any(|one| one["name"] == variable), "{variable}");
    }
    let shown = names(&text);
    for Metric { name, kind, .. } in &metrics {
        let ending = if kind == "histogram" { "_bucket" } else { "" };
        let other = format!("{name}_sum");
        assert!(shown.contains(format!("{name}{ending}").as_str()) || shown.contains(other.as_str()), "{name} is not shown");
    }
}

#[test]
fn alerts_have_runbooks_and_use_existing_metrics() {
    let metrics = metrics(&exposition());
    let rules = read("docs/alerts.yaml");
    let tests = read("tests/monitoring/alerts.test.yaml");
    let alerts: Vec<&str> = rules.split("      - alert: ").skip(1).collect();
    assert!(alerts.len() >= 10);
    for alert in alerts {
        let name = alert.lines().next().expect("a name");
        for key in
            ["        expr: ", "          severity: ", "          summary: ", "          description: ", "          action: "]
        {
            assert!(alert.contains(&format!("\n{key}")), "{name} has no {}", key.trim());
        }
        let expression =
            alert.split("expr: ").nth(1).and_then(|rest| rest.split("        labels:").next()).expect("an expression");
        assert_known(&metrics, name, expression);
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} has no test");
    }
}
