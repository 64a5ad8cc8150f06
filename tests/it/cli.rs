//! The command line as a whole: its help, its completions and its manual page.

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
fn help_and_manual_tell_the_exit_codes() {
    let manual = printed(&["man"]);
    assert!(manual.contains(".SH \"EXIT STATUS\""), "{manual}");
    for code in ["0", "1", "2", "75", "78"] {
        assert!(manual.contains(&format!("\\fB{code}\\fR")), "{code}");
        assert!(printed(&["--help"]).contains(&format!(" {code}  ")), "{code}");
    }
}

#[test]
fn every_command_is_in_the_manual_and_in_the_completions() {
    let (manual, names) = (printed(&["man"]), commands());
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        assert!(manual.contains(&format!(".SS \"waybill {name}\"")), "{name}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell} does not know {name}");
        }
    }
}
