//! The opt-out words: the built-in ones, and those of `OPT_OUT_WORDS`, `OPT_IN_WORDS` and `HELP_WORDS`.

use super::{
    reader::Reader,
    variables::{HELP_WORDS, OPT_IN_WORDS, OPT_OUT_WORDS, Variable},
};
use crate::event::{MAX_WORD, OptOut, OptOutWords, WordError};

/// More words than any list of a carrier has.
const MAX_WORDS: usize = 200;

/// The words, with every one that cannot be added as a problem.
pub(super) fn words(reader: &mut Reader<'_>) -> OptOutWords {
    let mut words = OptOutWords::default();
    for (variable, meaning) in [(&OPT_OUT_WORDS, OptOut::Stop), (&OPT_IN_WORDS, OptOut::Start), (&HELP_WORDS, OptOut::Help)] {
        add(reader, &mut words, variable, meaning);
    }
    words
}

fn add(reader: &mut Reader<'_>, words: &mut OptOutWords, variable: &Variable, meaning: OptOut) {
    let Some(list) = reader.env.get(variable.name) else { return };
    if list.split(',').count() > MAX_WORDS {
        reader.problem(variable.name, &format!("expected at most {MAX_WORDS} words"));
        return;
    }
    let mut errors: Vec<WordError> = list.split(',').filter_map(|word| words.add(word, meaning).err()).collect();
    errors.dedup();
    for error in errors {
        let expected = match error {
            WordError::Empty => {
                "expected a comma list of words; one is empty, or has only blanks, hyphens and punctuation".to_owned()
            }
            WordError::TooLong => format!("expected words of at most {MAX_WORD} characters"),
            WordError::Taken(other) => format!("expected words of one meaning; one is a word for `{}` already", other.as_ref()),
        };
        reader.problem(variable.name, &expected);
    }
}
