//! TLS of clients, and the certificate that they are shown.

use super::row::{Statistic, counter, gauge, text};
use super::section::Section::Tls;
use super::sources::Sources;
use crate::metrics::statistic::Value;
use crate::node::encryption::Certificate;

pub(super) const STATISTICS: &[Statistic] = &[
    text("tls", "What clients may do without TLS (`--tls`): off, optional or required.", |of| {
        of.options().tls.as_ref().map_or("off".into(), |tls| tls.policy.to_string().into())
    })
    .label("node", "tls")
    .too(Tls),
    text("tls_client_auth", "Whether clients show a certificate (`--tls-client-auth`).", |of| {
        of.options().tls.as_ref().map_or(Value::Nothing, |tls| tls.client_auth.to_string().into())
    })
    .label("node", "tls_client_auth")
    .too(Tls),
    text("tls_certificate_subject", "Whose the certificate is that clients are shown.", |of| {
        said(of, |certificate| certificate.subject.as_str().into())
    })
    .label("tls_certificate", "subject")
    .too(Tls),
    text("tls_certificate_issuer", "Who vouches for it.", |of| {
        said(of, |certificate| certificate.issuer.as_str().into())
    })
    .label("tls_certificate", "issuer")
    .too(Tls),
    text("tls_certificate_serial", "Its number among those of its issuer, in hexadecimal digits.", |of| {
        said(of, |certificate| certificate.serial.as_str().into())
    })
    .label("tls_certificate", "serial")
    .too(Tls),
    text("tls_certificate_days_left", "Whole days until its end; negative after it.", |of| {
        said(of, |certificate| certificate.days_left(of.now().unix_ms).to_string().into())
    })
    .too(Tls),
    gauge("tls_certificate_until_unix_s", "When it ends.", |of| {
        of.options().tls.as_ref().map_or(Value::Nothing, |tls| Value::Signed(tls.certificate.ends_unix_s))
    })
    .seconds()
    .named("tls_certificate_until_timestamp")
    .for_machines(),
    gauge("tls_clients", "Clients connected by TLS.", |of| of.encrypted().into()).too(Tls),
    counter("tls_handshakes", "Handshakes that were done.", |of| of.metrics().tls_handshakes.into())
        .part_of("tls_handshakes", "result", "done")
        .too(Tls),
    counter(
        "tls_handshakes_failed",
        "Handshakes that failed: no TLS, nothing in common, or a certificate that does not hold.",
        |of| of.metrics().tls_failed.into(),
    )
    .part_of("tls_handshakes", "result", "failed")
    .too(Tls),
    counter(
        "tls_handshakes_given_up",
        "Handshakes that took longer than 5 s, or stood still for 1 s while 256 were under way and others waited.",
        |of| of.metrics().tls_shed.into(),
    )
    .part_of("tls_handshakes", "result", "given_up")
    .too(Tls),
    counter("tls_plain_refused", "Connections closed because they spoke plain text with `--tls required`.", |of| {
        of.metrics().plain_refused.into()
    })
    .part_of("connections_closed", "reason", "plain_text")
    .too(Tls),
];

/// What the certificate says, where there is one.
fn said<'a>(of: &'a Sources<'a>, read: impl Fn(&'a Certificate) -> Value<'a>) -> Value<'a> {
    of.options().tls.as_ref().map_or(Value::Nothing, |tls| read(&tls.certificate))
}
