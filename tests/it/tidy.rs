//! Rules for the code and the documents that neither the compiler nor clippy can enforce.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MAX_LINES: usize = 400;
const MEDIAN_LINES: usize = 150;

/// Terms, the files that may contain them, and the reason.
const RESTRICTED_TERMS: [(&str, &[&str], &str); 12] = [
    ("actix", &["src/http/"], "only http/ names actix"),
    ("diesel", &["src/store/", "src/queue/spool/", "tests/"], "only store/ and the spool name Diesel"),
    ("async_nats", &["src/queue/broker/"], "only queue/broker/ names the client of NATS"),
    ("prometheus_client", &["src/metrics/"], "only metrics/ names the library of metrics"),
    ("tokio::spawn(", &[], "spawned tasks must be awaited"),
    ("std::env::", &["src/main.rs", "tests/support/mod.rs", "tests/it/shutdown.rs"], "only main reads the process's environment"),
    ("Utc::now", &["src/time.rs"], "only time.rs reads the clock"),
    ("Proof::new(", &["src/signature/"], "only signature/ can make a proof"),
    (
        "RecordedProof::from_row(",
        &["src/store/reprocess/raw_request.rs", "src/queue/request.rs"],
        "only a row of a verified callback replaces a proof",
    ),
    ("verify_slice", &["src/signature/mac.rs"], "digests are compared in one place, in constant time"),
    ("sql_query(", &["tests/support/database.rs"], "a statement of fixed text is a `Statement`, which is prepared once"),
    ("unsafe ", &["src/lib.rs", "Cargo.toml"], "forbidden"),
];

/// The files that may name a backend, because the two differ there.
const BACKENDS: [&str; 33] = [
    "src/build_info.rs",
    "src/cli/demo/mod.rs",
    "src/config/mod.rs",
    "src/config/spool.rs",
    "src/config/variables.rs",
    "src/ops_token.rs",
    "src/queue/spool/file.rs",
    "src/store/correlate/link.rs",
    "src/store/db/advisory_locks.rs",
    "src/store/db/connection.rs",
    "src/store/db/expired_keys.rs",
    "src/store/db/instant.rs",
    "src/store/db/migrations.rs",
    "src/store/db/mod.rs",
    "src/store/db/postgres_url.rs",
    "src/store/db/rejected_file.rs",
    "src/store/db/statement.rs",
    "src/store/db/url.rs",
    "src/store/fold/addresses.rs",
    "src/store/fold/entity.rs",
    "src/store/maintain/prune.rs",
    "src/store/maintain/ring.rs",
    "src/store/mod.rs",
    "src/store/opening.rs",
    "src/store/query/feed.rs",
    "src/store/query/feed_search.rs",
    "src/store/query/stats.rs",
    "src/store/reprocess/request_events.rs",
    "src/store/write/batch.rs",
    "src/store/write/mod.rs",
    "src/store/write/postgres.rs",
    "src/store/write/checkpoint.rs",
    "src/store/write/sqlite.rs",
];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, as its path from the root and its text.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut pending: Vec<PathBuf> = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        } else if path.to_string_lossy().ends_with(ending) {
            let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            found.push((name, fs::read_to_string(&path).expect("UTF-8")));
        }
    }
    found.sort();
    found
}

pub(crate) fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[test]
fn terms_appear_only_where_they_belong() {
    for (file, text) in files("src", ".rs") {
        for (word, allowed, reason) in RESTRICTED_TERMS {
            let is_allowed = allowed.iter().any(|prefix| file.starts_with(prefix));
            assert!(is_allowed || !code_lines(&text).any(|line| line.contains(word)), "{file} contains {word}: {reason}");
        }
    }
}

#[test]
fn backends_are_named_only_where_they_differ() {
    for (file, text) in files("src", ".rs") {
        let names = code_lines(&text).any(|line| ["sqlite", "postgres"].iter().any(|name| line.to_lowercase().contains(name)));
        assert!(!names || BACKENDS.contains(&file.as_str()), "{file} names a database");
    }
}

#[test]
fn providers_are_leaves() {
    for (file, text) in files("src/providers", ".rs") {
        for other in ["crate::store", "crate::http", "crate::gateway", "crate::receive", "async ", "std::fs", "std::net", "tokio"]
        {
            assert!(!code_lines(&text).any(|line| line.contains(other)), "{file} knows {other}; a provider is pure and a leaf");
        }
        assert!(!code_lines(&text).any(|line| line.contains("as_received(")), "{file} parses what the proof may not cover");
    }
}

/// The parts of the store, each of which imports only those before it.
const STORE_PARTS: [&str; 7] = ["db", "fold", "correlate", "write", "query", "reprocess", "maintain"];

#[test]
fn store_parts_import_one_way() {
    for (index, part) in STORE_PARTS.iter().enumerate() {
        for (file, text) in files(&format!("src/store/{part}"), ".rs") {
            for later in &STORE_PARTS[index + 1..] {
                let path = format!("{later}::");
                let is_import = |before: &str| before.is_empty() || before.ends_with("store::") || before.ends_with(['{', ' ']);
                let imports_later = |line: &str| line.match_indices(&path).any(|(at, _)| is_import(&line[..at]));
                assert!(!code_lines(&text).any(imports_later), "{file} imports {later}/, which is above {part}/");
            }
        }
    }
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<usize> = Vec::new();
    for (file, text) in files("src", ".rs").into_iter().filter(|(file, _)| !file.ends_with("schema.rs")) {
        let length = text.lines().count();
        assert!(length <= MAX_LINES, "{file} has {length} lines");
        lengths.push(length);
    }
    for (file, text) in files("tests", ".rs") {
        assert!(text.lines().count() <= MAX_LINES, "{file} is too long");
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= MEDIAN_LINES);
    let receive = fs::read_to_string(root().join("src/receive.rs")).expect("receive.rs");
    assert!(receive.lines().count() <= 80, "the pipeline stays a page long");
}

#[test]
fn tests_never_sleep() {
    for (file, text) in files("tests", ".rs").into_iter().filter(|(file, _)| !file.ends_with("tidy.rs")) {
        for banned in ["sleep(", "#[ignore", "mock"] {
            assert!(!code_lines(&text).any(|line| line.contains(banned)), "{file} contains {banned}");
        }
    }
}

#[test]
fn cases_name_their_source() {
    for (file, text) in files("fixtures", "request.toml") {
        let provenance = ["captured", "vendor docs", "vendor SDK", "guide", "own"];
        assert!(provenance.iter().any(|word| text.starts_with(&format!("provenance = \"{word}\"\nsource = \""))), "{file}");
        for name in ["body", "expected.json"] {
            assert!(root().join(file.replace("request.toml", name)).exists(), "{file} has no {name}");
        }
    }
}

/// Words that documents and comments avoid, with the reason.
const AVOIDED: [(&str, &str); 24] = [
    ("anew", "say what is done: re-parse, re-verify, retry"),
    ("at the least", "plain English: at least"),
    ("at the most", "plain English: at most"),
    ("authentic", "one word per thing: verified"),
    ("authenticity", "one word per thing: verified"),
    ("become of", "name the outcome"),
    ("becomes of", "name the outcome"),
    ("genuine", "one word per thing: verified"),
    ("heard of", "name the time: last received, last activity"),
    ("is away", "plain English: unavailable"),
    ("mend", "plain English: fix, correct"),
    ("mended", "plain English: fixed, corrected"),
    ("mending", "plain English: fixing, correcting"),
    ("mends", "plain English: fixes, corrects"),
    ("anybody", "name the actor: any client, the operator"),
    ("nobody", "name the actor: no client, no reader"),
    ("somebody", "name the actor: a client, the operator"),
    ("stranger", "name the actor: any client; its data is untrusted input"),
    ("strangers", "name the actor: any client; its data is untrusted input"),
    ("whoever", "name the actor: any client, the operator"),
    ("tell", "software reports, shows, logs or distinguishes"),
    ("telling", "software reports, shows, logs or distinguishes"),
    ("tells", "software reports, shows, logs or distinguishes"),
    ("told", "software reports, shows, logs or distinguishes"),
];

/// The avoided words in a text, each with the reason. Identifiers are words of their own.
fn avoided(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let text = format!(" {} ", words.collect::<Vec<_>>().join(" ").to_lowercase());
    let found = AVOIDED.iter().filter(|(word, _)| text.contains(&format!(" {word} ")));
    found.map(|(word, reason)| format!("`{word}` ({reason})")).collect()
}

/// Every document, as its path from the root and its text.
fn documents() -> Vec<(String, String)> {
    let root_files = fs::read_dir(root()).expect("the root").map(|entry| entry.expect("an entry").path());
    let at_root = root_files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let read = |path: PathBuf| (path.display().to_string(), fs::read_to_string(&path).expect("UTF-8"));
    let folders = ["docs", "fixtures", "migrations"].into_iter().flat_map(|folder| files(folder, ".md"));
    let others = [".env.example", "docs/alerts.yaml", "docs/prometheus.yml", "compose.yaml", "Dockerfile"];
    at_root.chain(others.map(|file| root().join(file))).map(read).chain(folders).collect()
}

#[test]
fn documents_use_plain_words() {
    for (file, text) in documents() {
        let found = avoided(&text);
        assert!(found.is_empty(), "{file} contains {}", found.join(", "));
    }
}

/// Words with which no doc comment begins. It names the item or states its effect.
const QUESTIONS: [&str; 4] = ["What", "Whether", "Who", "How"];

/// The comments of a source file: each block as one text, with its marker.
fn comments(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map(str::trim) {
        let is_comment = line.starts_with("//");
        match blocks.last_mut() {
            Some(block) if is_comment && is_open => {
                block.push(' ');
                block.push_str(line.trim_start_matches(['/', '!']));
            }
            _ if is_comment => blocks.push(line.to_owned()),
            _ => {}
        }
        is_open = is_comment;
    }
    blocks
}

#[test]
fn comments_use_plain_words() {
    for (file, text) in ["benches", "src", "tests"].into_iter().flat_map(|folder| files(folder, ".rs")) {
        for comment in comments(&text) {
            let found = avoided(&comment);
            assert!(found.is_empty(), "{file} contains {}: {comment}", found.join(", "));
            let doc = comment.strip_prefix("/// ").or(comment.strip_prefix("//! ")).unwrap_or_default();
            let first = doc.split(' ').next().unwrap_or_default();
            assert!(
                !QUESTIONS.contains(&first),
                "{file}: a doc comment begins with {first}; name the item, or say what it does: {comment}"
            );
        }
    }
}

/// The code spans of a Markdown text.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// True for a function by its module and name, such as `tidy::invariants_name_their_tests`.
fn is_function(span: &str) -> bool {
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    span.contains("::") && span.split("::").all(is_name)
}

#[test]
fn functions_and_files_named_in_documents_exist() {
    const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "benches/", "packaging/", "templates/"];
    let sources = [files("src", ".rs"), files("tests", ".rs")].concat();
    let exists = |span: &str| {
        let mut parts = span.rsplit("::");
        let (name, module) = (parts.next().expect("a name"), parts.next().expect("a module"));
        let definition = format!("fn {name}(");
        let homes = [format!("/{module}.rs"), format!("/{module}/mod.rs")];
        sources.iter().any(|(file, text)| homes.iter().any(|home| file.ends_with(home)) && text.contains(&definition))
    };
    for (file, text) in documents() {
        for span in code_spans(&text) {
            assert!(!is_function(span) || exists(span), "{file} names {span}, which does not exist");
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains(['*', '<', ' ']);
            assert!(!is_path || span.contains("acme") || root().join(span).exists(), "{file} names {span}, which does not exist");
        }
    }
}

#[test]
fn module_map_is_complete() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for folder in ["src", "src/store"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            let slash = if entry.is_dir() { "/" } else { "" };
            let is_named = architecture.contains(&format!("`{folder}/{name}{slash}"))
                || ["lib.rs", "mod.rs", "error.rs"].contains(&name.as_str());
            assert!(is_named, "the module map of ARCHITECTURE.md does not name {folder}/{name}");
        }
    }
}

#[test]
fn invariants_name_their_tests() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let is_row = |line: &&str| line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let rows: Vec<&str> = architecture.lines().filter(is_row).collect();
    assert!(rows.len() >= 30, "the table of invariants");
    for row in rows {
        let tests = row.split(" | ").last().expect("a cell");
        assert!(code_spans(tests).any(is_function), "no test: {row}");
    }
}
