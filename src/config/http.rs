//! The flags about HTTP.

use std::net::{IpAddr, SocketAddr};

use clap::{Args, ValueEnum};

use crate::node::options::{HttpOptions, HttpPolicy};

/// See the module.
#[derive(Args, Debug)]
pub(super) struct HttpArguments {
    /// HTTP on the port that everything is spoken on: "on"; "metrics": /livez, /readyz and the metrics alone; "off":
    /// who speaks HTTP is hung up on
    #[arg(long, value_name = "mode", default_value = "on")]
    http: PolicyArgument,

    /// A further address at which HTTP alone is spoken: an IP, or IP:port (port 0: the system chooses)
    #[arg(long, value_name = "address")]
    http_bind: Option<String>,

    /// A further name that the node is called by in HTTP, beside those of the config file; can be given several times.
    /// Asked by another name it does not answer: a web page may have pointed that here
    #[arg(long = "http-name", value_name = "host")]
    http_names: Vec<String>,

    /// An origin, as a browser says it, whose web pages may ask, saying a user and a password; can be given several times
    #[arg(long = "http-origin", value_name = "origin")]
    http_origins: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyArgument {
    On,
    Metrics,
    Off,
}

impl HttpArguments {
    /// What they mean, and the further address; `port` is the node's own.
    pub(super) fn check(self, port: u16) -> Result<(HttpOptions, Option<SocketAddr>), String> {
        let policy = match self.http {
            PolicyArgument::On => HttpPolicy::On,
            PolicyArgument::Metrics => HttpPolicy::Metrics,
            PolicyArgument::Off => HttpPolicy::Off,
        };
        if policy == HttpPolicy::Off && self.http_bind.is_some() {
            return Err("--http-bind is an address for HTTP, and --http=off says that there is none".to_owned());
        }
        let bind = self.http_bind.map(|bind| match bind.parse::<IpAddr>() {
            Ok(ip) => Ok(SocketAddr::new(ip, port)),
            Err(_) => bind.parse().map_err(|_| format!("--http-bind={bind} is neither an IP address nor IP:port")),
        });
        let names = self.http_names.into_iter().map(|name| {
            let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_');
            match !name.is_empty() && name.chars().all(is_name) {
                true => Ok(name.trim_end_matches('.').to_ascii_lowercase()),
                false => Err(format!("--http-name={name} is no host's name, which has no port and no slash")),
            }
        });
        let origins = self.http_origins.into_iter().map(|origin| match is_origin(&origin) {
            true => Ok(origin),
            false => Err(format!(
                "--http-origin={origin} is no origin: a scheme and a server, as https://app.example or \
                 http://localhost:8080, and nothing behind them"
            )),
        });
        let (names, origins) = (names.collect::<Result<_, _>>()?, origins.collect::<Result<_, _>>()?);
        Ok((HttpOptions { policy, names, origins }, bind.transpose()?))
    }
}

fn is_origin(text: &str) -> bool {
    let server = text.strip_prefix("https://").or(text.strip_prefix("http://"));
    let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.' | '_' | ':' | '[' | ']');
    server.is_some_and(|server| !server.is_empty() && server.chars().all(is_part))
}
