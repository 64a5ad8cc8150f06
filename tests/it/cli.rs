//! The command line: help, completions and manual pages.

use waybill::build_info::BUILD;

use crate::shutdown::command;

fn printed(arguments: &[&str]) -> String {
    let output = command().args(arguments).output().expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands as `--help` lists them.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    list.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn help_and_manual_list_exit_codes() {
    let manual = printed(&["man"]);
    assert!(manual.contains(".SH \"EXIT STATUS\""), "{manual}");
    for code in ["0", "1", "2", "3", "75", "78"] {
        assert!(manual.contains(&format!("\\fB{code}\\fR")), "{code}");
        assert!(printed(&["--help"]).contains(&format!(" {code}  ")), "{code}");
    }
}

#[test]
fn version_shows_libraries_and_tls() {
    let version = printed(&["--version"]);
    assert_eq!(version, format!("waybill {BUILD}\n"));
    let tls = if BUILD.postgres_tls { "with TLS)" } else { "without TLS)" };
    assert!(version.starts_with(concat!("waybill ", env!("CARGO_PKG_VERSION"), " (sqlite 3.")), "{version}");
    assert!(version.contains(", libpq ") && version.trim_end().ends_with(tls), "{version}");
    assert_eq!(printed(&["-V"]), concat!("waybill ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    printed(&["man", &folder.path().display().to_string()]);
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    assert_eq!(page("waybill.1"), printed(&["man"]));
    for name in commands() {
        assert!(page(&format!("waybill-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
    }
    assert!(page("waybill-requests-replay.1").contains("dry\\-run"));
}

#[test]
fn manual_and_completions_have_every_command() {
    let (manual, names) = (printed(&["man"]), commands());
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        assert!(manual.contains(&format!("waybill\\-{name}(1)")), "{name}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell} does not know {name}");
        }
    }
}
