//! `waybill completions` and `waybill man`: what shells and readers of manuals are given. Both follow from the command line itself.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::{Man, roff::Roff};

use super::{Arguments, CommandError};

/// Meaning of each exit code, as the manual page shows it.
const EXIT_STATUS: [(&str, &str); 5] = [
    ("0", "Done."),
    ("1", "Failed."),
    ("2", "Wrong usage."),
    ("75", "The database is away; try again later."),
    ("78", "The configuration has problems."),
];

pub(super) fn completions(shell: Shell) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "waybill", &mut script);
    print(&script)
}

/// One page for the command and all that it can do.
pub(super) fn manual() -> Result<(), CommandError> {
    let mut command = Arguments::command().after_help(None::<&str>);
    command.build();
    let mut page = Vec::new();
    render(&command, &mut page).map_err(|error| CommandError::Other(error.to_string()))?;
    print(&page)
}

fn render(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    commands.to_writer(page)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        describe(subcommand, page)?;
    }
    let mut status = Roff::new();
    status.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_STATUS {
        status.control("TP", []).text([clap_mangen::roff::bold(code)]).text([clap_mangen::roff::roman(meaning)]);
    }
    status.to_writer(page)
}

/// A command below the first, with its own below it.
fn describe(command: &clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    use clap_mangen::roff::{bold, roman};
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut text = Roff::new();
    text.control("SS", [name]);
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    text.text([roman(about)]);
    for argument in command.get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str())) {
        let value = argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
        let shown = match (argument.get_long(), value) {
            (Some(long), Some(value)) if argument.get_action().takes_values() => format!("--{long} {value}"),
            (Some(long), _) => format!("--{long}"),
            (None, value) => value.unwrap_or_default(),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        text.control("TP", []).text([bold(shown)]).text([roman(help)]);
    }
    text.to_writer(page)?;
    command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help").try_for_each(|below| describe(below, page))
}

fn print(bytes: &[u8]) -> Result<(), CommandError> {
    io::stdout().write_all(bytes).map_err(|error| CommandError::Other(error.to_string()))
}
