//! A terminal at which somebody types: the line with its history, completion and hints.

use std::borrow::Cow;
use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::history;
use super::synopsis::Synopses;

/// See the module.
pub(super) struct Prompt {
    editor: Editor<Aid, FileHistory>,
    file: Option<PathBuf>,
}

/// What somebody has typed.
pub(super) enum Typed {
    Line(String),
    /// Ctrl-C.
    Nothing,
    /// Ctrl-D, or the terminal is gone.
    End,
}

impl Prompt {
    /// With what was typed before. An error is a sentence.
    pub(super) fn open() -> Result<Prompt, String> {
        let failed = |error: ReadlineError| format!("cannot read from this terminal: {error}");
        let config = Config::builder().completion_type(CompletionType::List).max_history_size(history::LINES_MAX);
        let config = config.map_err(failed)?.history_ignore_space(true).auto_add_history(false).build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Aid(Synopses::read())));
        let file = history::file();
        // One that is damaged is none.
        let _ = file.as_ref().map(|file| editor.load_history(file));
        Ok(Prompt { editor, file })
    }

    /// The next line.
    pub(super) fn read(&mut self, name: &str) -> Typed {
        match self.editor.readline(&format!("{name}> ")) {
            Ok(line) => {
                if history::may_be_kept(&line) && self.editor.add_history_entry(&line).unwrap_or(false) {
                    // At once: a terminal that is closed ends the program.
                    let _ = self.file.as_ref().map(|file| self.editor.append_history(file));
                }
                Typed::Line(line)
            }
            Err(ReadlineError::Interrupted) => Typed::Nothing,
            Err(_) => Typed::End,
        }
    }

    /// What commands take.
    pub(super) fn synopses(&self) -> Option<&Synopses> {
        self.editor.helper().map(|aid| &aid.0)
    }
}

/// What helps while somebody types.
struct Aid(Synopses);

impl Completer for Aid {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, self.0.completions(&line[..at])))
    }
}

impl Hinter for Aid {
    type Hint = String;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<String> {
        (at == line.len()).then(|| self.0.hint(line)).flatten()
    }
}

impl Highlighter for Aid {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }
}

impl Validator for Aid {}

impl Helper for Aid {}
