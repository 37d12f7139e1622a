//! The two forms in which collectors read figures: the text of Prometheus and OpenMetrics.

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>, version 0.0.4.
    Prometheus,
    /// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>, version 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";
/// What was not valued otherwise is wanted so much, in thousandths.
const WEIGHT_MAX: u32 = 1_000;

impl Form {
    /// The one that a collector would rather have, by the `Accept` of its request: OpenMetrics where it is named and not
    /// less welcome than plain text.
    pub fn accepted(accept: Option<&str>) -> Form {
        let weight = |is_meant: fn(&str) -> bool| {
            let parts = accept.unwrap_or_default().split(',').map(|part| part.split(';').map(str::trim));
            let fits = parts.filter_map(|mut part| part.next().filter(|kind| is_meant(kind)).map(|_| weight(part)));
            fits.max().unwrap_or(0)
        };
        let open = weight(|kind| kind.eq_ignore_ascii_case(OPEN_METRICS));
        let plain = weight(|kind| kind.eq_ignore_ascii_case("text/plain"));
        if open > 0 && open >= plain { Form::OpenMetrics } else { Form::Prometheus }
    }

    /// The value of the answer's `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The `q` among the parameters of a kind of content, in thousandths.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let given = parameters.find_map(|parameter| parameter.strip_prefix("q="));
    let weight = given.map_or(Some(1.0), |given| given.parse::<f32>().ok()).unwrap_or(0.0);
    (weight.clamp(0.0, 1.0) * WEIGHT_MAX as f32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_gets_the_form_that_it_would_rather_have() {
        // What Prometheus 2.42 sends.
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, expected) in [
            (None, Form::Prometheus),
            (Some("*/*"), Form::Prometheus),
            (Some(prometheus), Form::OpenMetrics),
            (Some("application/openmetrics-text; version=1.0.0; q=0"), Form::Prometheus),
            (Some("text/plain;version=0.0.4;q=1, Application/OpenMetrics-Text;q=0.5"), Form::Prometheus),
            (Some("text/plain;q=0.3, application/openmetrics-text; q=0.5"), Form::OpenMetrics),
            (Some("application/openmetrics-text;q=wrong"), Form::Prometheus),
            (Some(";;,,q=1"), Form::Prometheus),
        ] {
            assert_eq!(Form::accepted(accept), expected, "{accept:?}");
        }
    }
}
