//! The modules of `src/` form layers: each imports only from the layers below it, so no two modules import each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::tidy::{code_lines, files, root};

/// For each module (a file or folder directly below `src/`): the modules it imports, each with a file that does.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// The crate's roots: what they name is the list of modules and the command line.
const ROOTS: [&str; 2] = ["src/lib.rs", "src/main.rs"];

fn imports() -> Imports {
    let mut imports = Imports::new();
    for (file, text) in files("src", ".rs").into_iter().filter(|(file, _)| !ROOTS.contains(&file.as_str())) {
        let module = file.split('/').nth(1).expect("below src/").trim_end_matches(".rs").to_owned();
        let of_module = imports.entry(module.clone()).or_default();
        for name in crate_paths(&code_lines(&text).collect::<Vec<_>>().join("\n")) {
            if name != module {
                of_module.entry(name).or_insert_with(|| file.clone());
            }
        }
    }
    imports
}

/// The first names behind `crate::` in use lines and in paths.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let ident = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = BTreeSet::new();
    for (start, matched) in code.match_indices("crate::") {
        let rest = &code[start + matched.len()..];
        if !rest.starts_with('{') {
            names.insert(ident(rest));
            continue;
        }
        let mut depth = 0;
        for (place, c) in rest.char_indices() {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            match (depth, c) {
                (0, _) => break,
                (1, '{' | ',') => drop(names.insert(ident(rest[place + 1..].trim_start()))),
                _ => {}
            }
        }
    }
    names.remove("");
    names
}

/// A cycle, as the modules along it.
fn cycle(imports: &Imports) -> Option<Vec<&str>> {
    fn visit<'i>(module: &'i str, imports: &'i Imports, done: &mut BTreeSet<&'i str>, path: &mut Vec<&'i str>) -> bool {
        if let Some(first) = path.iter().position(|on_path| *on_path == module) {
            path.drain(..first);
            path.push(module);
            return true;
        }
        if done.contains(module) {
            return false;
        }
        path.push(module);
        if imports.get(module).into_iter().flatten().any(|(next, _)| visit(next, imports, done, path)) {
            return true;
        }
        path.pop();
        done.insert(module);
        false
    }
    let (mut done, mut path) = (BTreeSet::new(), Vec::new());
    imports.keys().any(|module| visit(module, imports, &mut done, &mut path)).then_some(path)
}

#[test]
fn modules_import_each_other_in_no_cycle() {
    let imports = imports();
    if let Some(cycle) = cycle(&imports) {
        let step = |pair: &[&str]| format!("{} imports {} ({})", pair[0], pair[1], imports[pair[0]][pair[1]]);
        panic!("import cycle:\n{}", cycle.windows(2).map(step).collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn modules_import_only_from_the_layers_below() {
    let architecture = fs::read_to_string(Path::new(root()).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let block = architecture.split("```layers\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of layers");
    let lines = block.lines().rev().enumerate();
    let layers: BTreeMap<&str, usize> =
        lines.flat_map(|(layer, line)| line.split_whitespace().map(move |name| (name, layer))).collect();
    let imports = imports();
    assert!(
        imports.keys().map(String::as_str).eq(layers.keys().copied()),
        "ARCHITECTURE.md lists the modules of src/, each once"
    );
    for (module, imported) in &imports {
        for (other, file) in imported {
            assert!(
                layers[other.as_str()] < layers[module.as_str()],
                "{file} imports {other}, which is not in a layer below {module}"
            );
        }
    }
}

#[test]
fn import_checker_finds_a_planted_cycle() {
    let planted = |edges: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in edges {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned(), String::new());
        }
        cycle(&imports).map(|path| path.join(" "))
    };
    assert_eq!(planted(&[("a", "b"), ("a", "c"), ("b", "c")]), None);
    assert_eq!(planted(&[("a", "b"), ("b", "c"), ("c", "b")]).as_deref(), Some("b c b"));
    let code = "use crate::{\n    store::{self, Store},\n    time,\n};\nlet x = crate::http::answer(); $crate::json::read()";
    assert_eq!(crate_paths(code).into_iter().collect::<Vec<_>>(), ["http", "json", "store", "time"]);
}
