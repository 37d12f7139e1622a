//! `kvstoreapp completions` and `man`: what shells and `man` are to know, made from the flags themselves.

use std::path::Path;

use crate::config::{self, Shell};

/// The script that a shell reads.
pub(super) fn completions(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut config::command(), "kvstoreapp", &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// The page of the program, or of one of its tools. An error is a sentence.
pub(super) fn man(tool: Option<&str>) -> Result<String, String> {
    let program = config::command();
    let page = match tool {
        None => program,
        Some(tool) => {
            let found = program.get_subcommands().find(|one| one.get_name() == tool).cloned();
            let found = found.ok_or_else(|| format!("there is no tool {tool}; kvstoreapp --help names all"))?;
            found.display_name(format!("kvstoreapp-{tool}")).bin_name(format!("kvstoreapp {tool}"))
        }
    };
    let mut out = Vec::new();
    let made = clap_mangen::Man::new(page).render(&mut out);
    made.map_err(|error| format!("cannot make the page: {error}"))?;
    Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
}

/// All pages, into a directory. An error is a sentence.
pub(super) fn write_all(directory: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot write into {}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    let tools: Vec<String> = config::command().get_subcommands().map(|tool| tool.get_name().to_owned()).collect();
    std::fs::write(directory.join("kvstoreapp.1"), man(None)? + "\n").map_err(failed)?;
    for tool in &tools {
        std::fs::write(directory.join(format!("kvstoreapp-{tool}.1")), man(Some(tool))? + "\n").map_err(failed)?;
    }
    Ok(format!("{} pages are in {}", tools.len() + 1, directory.display()))
}
