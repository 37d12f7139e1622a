//! The image and the compose files give a node nothing that it does not know: each variable is a flag's.

use std::path::Path;

fn deployed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The variables in a text, but for those that the build takes.
fn variables(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("KVSTOREAPP_") && !word.starts_with("KVSTOREAPP_BUILD_")).collect()
}

/// Whether a variable is a flag's.
fn is_known(variable: &str) -> bool {
    let flag = variable["KVSTOREAPP_".len()..].to_ascii_lowercase().replace('_', "-");
    let command = kvstoreapp::config::command();
    let of_tools = command.get_subcommands().flat_map(|tool| tool.get_arguments());
    command.get_arguments().chain(of_tools).any(|argument| argument.get_long() == Some(&flag))
}

#[test]
fn each_variable_of_the_image_and_the_compose_files_is_a_flag() {
    for (file, least) in [("docker/Dockerfile", 2), ("compose/compose.yaml", 12)] {
        let text = deployed(file);
        let variables = variables(&text);
        assert!(variables.len() >= least, "{file}: {variables:?}");
        for variable in variables {
            assert!(is_known(variable), "{file}: no flag is {variable}");
        }
    }
    for mistake in ["KVSTOREAPP_DATADIR", "KVSTOREAPP_", "KVSTOREAPP_TLS_CERTIFICATE"] {
        assert!(!is_known(mistake), "{mistake}");
    }
}

#[test]
fn the_image_and_the_compose_files_name_the_version_of_the_program_and_files_that_are_there() {
    let (image, compose) = (deployed("docker/Dockerfile"), deployed("compose/compose.yaml"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(image.contains(&format!("org.opencontainers.image.version=\"{version}\"")), "{version}");
    assert!(image.contains(&format!("-t kvstoreapp:{version} ")), "{version}");
    assert!(compose.contains(&format!("image: kvstoreapp:{version}\n")), "{version}");
    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy/compose");
    let mut count = 0;
    for file in ["compose/compose.yaml", "compose/compose.observe.yaml"] {
        for line in deployed(file).lines().filter_map(|line| line.trim().strip_prefix("- .")) {
            let source = format!(".{}", line.split(':').next().expect("it has a first part"));
            assert!(compose.join(&source).exists(), "{file}: {source}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}
