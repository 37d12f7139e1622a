//! The OpenAPI file says what there is.

use serde_json::Value;

use crate::answers::{ask, place};

const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

#[test]
fn the_openapi_file_has_the_methods_and_parameters_that_there_are() {
    let mut node = place();
    let text = ask(&mut node, 0, "GET /v1/openapi.json", "", b"").text();
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let paths = file["paths"].as_object().expect("it has paths");
    assert!(paths.len() > 5);
    for (path, operations) in paths {
        let path = path.replace("{key}", "a");
        let allow = ask(&mut node, 0, &format!("PUT {path}"), "", b"").header("allow").map(str::to_owned);
        let allow = allow.or(ask(&mut node, 0, &format!("POST {path}"), "", b"").header("allow").map(str::to_owned));
        let allow = allow.unwrap_or_else(|| panic!("{path} is not there")).to_lowercase();
        let mut there: Vec<&str> = allow.split(", ").filter(|method| METHODS.contains(method)).collect();
        there.sort_unstable();
        let mut told: Vec<&str> = METHODS.into_iter().filter(|method| operations.get(method).is_some()).collect();
        told.sort_unstable();
        assert_eq!(there, told, "{path}");
        // A parameter that is not there is an error, and none that is.
        let Some(get) = operations.get("get").filter(|_| path != "/v1/watch") else { continue };
        let parameters = get["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().expect("a parameter has a name");
            let value = if parameter["schema"]["type"] == "integer" { "1" } else { "" };
            let answer = ask(&mut node, 0, &format!("GET {path}?{name}={value}"), "", b"");
            assert_ne!(answer.status, 400, "{path} {name}: {}", answer.text());
        }
        let means_nothing = path.starts_with("/metrics");
        let answer = ask(&mut node, 0, &format!("GET {path}?nosuch"), "", b"");
        assert_eq!(answer.status, if means_nothing { 200 } else { 400 }, "{path}");
    }
}
