//! `waybill man`: the manual pages, which follow from the command line itself.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Arguments as CommandLine, CommandError, error::EXIT_STATUS, print_bytes};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An existing folder, such as `/usr/local/share/man/man1`.
    folder: Option<PathBuf>,
}

/// Prints the page of `waybill`, or writes one page per command into a folder.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let failed = |error: io::Error| CommandError::Other(error.to_string());
    // The page has a section of its own for the exit codes.
    let command = CommandLine::command().after_help(None::<&str>);
    if let Some(folder) = &arguments.folder {
        clap_mangen::generate_to(command.clone(), folder).map_err(failed)?;
        let page = folder.join(Man::new(command).get_filename());
        return OpenOptions::new().append(true).open(page).and_then(|mut page| write_exit_status(&mut page)).map_err(failed);
    }
    let mut page = Vec::new();
    Man::new(command.disable_help_subcommand(true)).render(&mut page).map_err(failed)?;
    write_exit_status(&mut page).map_err(failed)?;
    print_bytes(&page)
}

fn write_exit_status(page: &mut dyn Write) -> io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_STATUS {
        section.control("TP", []).text([bold(code.to_string())]).text([roman(meaning)]);
    }
    section.to_writer(page)
}
