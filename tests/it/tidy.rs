//! The rules of the house that neither the compiler nor clippy can hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MAX_LINES: usize = 400;
const MEDIAN_LINES: usize = 150;

/// A word, the files that may contain it, and why no other may.
const WORDS: [(&str, &[&str], &str); 11] = [
    ("actix", &["src/http/"], "only http/ names actix"),
    ("diesel", &["src/store/", "tests/"], "only store/ names Diesel"),
    ("prometheus_client", &["src/metrics/"], "only metrics/ names the library of metrics"),
    ("tokio::spawn(", &[], "what is spawned must be waited for"),
    ("std::env::", &["src/main.rs", "tests/support/mod.rs", "tests/it/shutdown.rs"], "only main reads the process's environment"),
    ("Utc::now", &["src/time.rs"], "only time.rs reads the clock"),
    ("Proof::new(", &["src/signature/"], "only signature/ can make a proof"),
    ("Recorded::of_row(", &["src/store/stored.rs"], "only a row of an authentic callback stands for a proof"),
    ("verify_slice", &["src/signature/mac.rs"], "digests are compared in one place, in constant time"),
    ("sql_query(", &["src/store/postgres.rs", "tests/support/database.rs"], "SQL as text stands in one file"),
    ("unsafe ", &["src/lib.rs", "Cargo.toml"], "forbidden"),
];

/// The backends' names may stand only where the two differ.
const BACKENDS: [&str; 15] = [
    "src/cli/demo.rs",
    "src/config/database.rs",
    "src/config/later.rs",
    "src/config/mod.rs",
    "src/config/variables.rs",
    "src/ops_token.rs",
    "src/store/commit.rs",
    "src/store/connection.rs",
    "src/store/fold.rs",
    "src/store/locks.rs",
    "src/store/migrations.rs",
    "src/store/mod.rs",
    "src/store/postgres.rs",
    "src/store/postgres_url.rs",
    "src/store/sqlite.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, as its path from the root and its text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
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

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

#[test]
fn words_stand_where_they_belong() {
    for (file, text) in files("src", ".rs") {
        for (word, allowed, reason) in WORDS {
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
fn tests_wait_for_what_they_wait_for() {
    for (file, text) in files("tests", ".rs").into_iter().filter(|(file, _)| !file.ends_with("tidy.rs")) {
        for banned in ["sleep(", "#[ignore", "mock"] {
            assert!(!code_lines(&text).any(|line| line.contains(banned)), "{file} contains {banned}");
        }
    }
}

#[test]
fn every_case_says_where_it_comes_from() {
    for (file, text) in files("fixtures", "request.toml") {
        let provenance = ["captured", "vendor docs", "vendor SDK", "guide", "own"];
        assert!(provenance.iter().any(|word| text.starts_with(&format!("provenance = \"{word}\"\nsource = \""))), "{file}");
        for name in ["body", "expected.json"] {
            assert!(root().join(file.replace("request.toml", name)).exists(), "{file} has no {name}");
        }
    }
}

#[test]
fn every_invariant_of_the_architecture_names_a_test_that_exists() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let sources: String = [files("src", ".rs"), files("tests", ".rs")].concat().into_iter().map(|(_, text)| text).collect();
    let is_row = |line: &&str| line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let rows: Vec<&str> = architecture.lines().filter(is_row).collect();
    assert!(rows.len() >= 10, "the table of invariants");
    for row in rows {
        let holders: Vec<&str> = row.split("held by").nth(1).expect("holders").split('`').skip(1).step_by(2).collect();
        assert!(!holders.is_empty(), "no holder: {row}");
        for holder in holders {
            let exists = match holder.rsplit_once("::") {
                // A test by its module and name; else a type or a function.
                Some((_, test)) => sources.contains(&format!("fn {test}(")),
                None => sources.contains(holder),
            };
            assert!(exists, "{holder} does not exist: {row}");
        }
    }
}
