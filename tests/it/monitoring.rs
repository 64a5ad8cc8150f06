//! The dashboard, the alert rules and the documentation speak of figures that exist. `UPDATE_DOCS=1` writes the table of
//! docs/monitoring.md. What promtool finds is checked by `tests/monitoring/check`.

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

/// An exposition in which every figure has a value.
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
    gateway.running().gateway.take_stock().expect("figures");
    gateway.running().gateway.exposition().expect("an exposition")
}

/// A figure as the documentation tells it.
struct Figure {
    /// With `_total`, if it is a counter.
    name: String,
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

fn figures(exposition: &str) -> Vec<Figure> {
    let told = |word: &str| -> BTreeMap<String, String> {
        let lines =
            exposition.lines().filter_map(|line| line.strip_prefix("# ")?.strip_prefix(word)?.trim_start().split_once(' '));
        lines.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    };
    let samples = Metrics::parse(exposition).0;
    let kinds = told("TYPE");
    let helps = told("HELP");
    let figure = |(name, help): (&String, &String)| {
        let kind = kinds[name].clone();
        let is_of =
            |sample: &str| sample.strip_prefix(name.as_str()).is_some_and(|rest| ["", "_total", "_bucket"].contains(&rest));
        let labels: Vec<&BTreeMap<String, String>> =
            samples.iter().filter(|sample| is_of(&sample.name)).map(|sample| &sample.labels).collect();
        assert!(!labels.is_empty(), "{name} has no value");
        let labels = labels.into_iter().flat_map(|labels| labels.keys().cloned()).filter(|label| label != "le").collect();
        let name = if kind == "counter" { format!("{name}_total") } else { name.clone() };
        Figure { name, kind, labels, help: help.clone() }
    };
    let mut figures: Vec<Figure> = helps.iter().map(figure).collect();
    figures.sort_by(|one, other| one.name.cmp(&other.name));
    figures
}

#[test]
fn the_documentation_tells_every_figure() {
    let mut table = String::from("| figure | kind | labels | what |\n| --- | --- | --- | --- |\n");
    for Figure { name, kind, labels, help } in figures(&exposition()) {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).expect("text");
    }
    let mut wanted = read("docs/monitoring.md");
    let start = wanted.find("<!-- metrics: table -->\n").expect("the opening mark") + "<!-- metrics: table -->\n".len();
    let end = wanted.find("<!-- end: table -->").expect("the closing mark");
    wanted.replace_range(start..end, &table);
    if support::variable("UPDATE_DOCS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md"), &wanted).expect("a writable file");
    }
    assert!(read("docs/monitoring.md") == wanted, "not what the registry says; run UPDATE_DOCS=1 ./test --test it monitoring");
    for outcome in ["accepted", "duplicate", "quarantined", "ignored", "rejected", "failed"] {
        assert!(wanted.contains(&format!("| `{outcome}` |")), "{outcome}");
    }
}

/// Names of figures in an expression.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("waybill_")).collect()
}

/// Every figure that an expression names, and every label, exists.
fn assert_known(figures: &[Figure], what: &str, expression: &str) {
    let mut known: BTreeMap<String, &BTreeSet<String>> = BTreeMap::new();
    for Figure { name, kind, labels, .. } in figures {
        let endings: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        known.extend(endings.iter().map(|ending| (format!("{name}{ending}"), labels)));
    }
    let names = names(expression);
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "{what} names {unknown:?}, which is no figure");
    let labels: BTreeSet<&str> = names.iter().flat_map(|name| known[*name].iter().map(String::as_str)).collect();
    let asked = expression.split(" by (").skip(1).filter_map(|rest| rest.split(')').next()).flat_map(|list| list.split(','));
    let matched = expression
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .flat_map(|list| list.split("\",").filter_map(|matcher| matcher.split(['=', '!']).next()));
    for label in asked.chain(matched).map(str::trim) {
        assert!(labels.contains(label) || ["le", "instance", "job"].contains(&label), "{what} asks for the label {label}");
    }
}

#[test]
fn the_dashboard_shows_figures_that_exist_and_all_that_matter() {
    let figures = figures(&exposition());
    let text = read("docs/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_i64().expect("an id")), "{title}: its id is another's");
        assert!(places.insert((panel["gridPos"]["y"].as_i64(), panel["gridPos"]["x"].as_i64())), "{title}: another is there");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert_known(&figures, title, target["expr"].as_str().expect("an expression"));
        }
    }
    for variable in ["datasource", "provider", "account"] {
        let list = dashboard["templating"]["list"].as_array().expect("variables");
        assert!(list.iter().any(|one| one["name"] == variable), "{variable}");
    }
    let shown = names(&text);
    for Figure { name, kind, .. } in &figures {
        let ending = if kind == "histogram" { "_bucket" } else { "" };
        let other = format!("{name}_sum");
        assert!(shown.contains(format!("{name}{ending}").as_str()) || shown.contains(other.as_str()), "{name} is not shown");
    }
}

#[test]
fn every_alert_says_what_to_do_and_asks_for_figures_that_exist() {
    let figures = figures(&exposition());
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
        assert_known(&figures, name, expression);
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} has no test");
    }
}
