//! A line of the log, and the forms in which it is printed.

use std::io::{self, Write};

use log::kv::{Error, Key, Value as Field, VisitSource};
use log::{Level, Log, Record};
use serde_json::{Map, Value};
use simple_logger::SimpleLogger;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::metrics::events::Event;

/// The field that makes a line an event.
const CODE: &str = "event";

/// How lines are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
    /// For systemd's journal: a priority in front, and no time, which the journal has.
    Journal,
}

/// See the module.
pub(super) struct Line {
    unix_ms: u64,
    level: Level,
    target: String,
    text: String,
    /// The code of an event, and the fields in the order in which they are said.
    code: Option<String>,
    fields: Vec<(String, Value)>,
}

impl Line {
    /// What was said at this time.
    pub(super) fn of(record: &Record<'_>, unix_ms: u64) -> Line {
        let mut fields = Fields::default();
        record.key_values().visit(&mut fields).expect("fields are taken as they are");
        let Fields { code, fields } = fields;
        let (level, target, text) = (record.level(), record.target().to_owned(), record.args().to_string());
        Line { unix_ms, level, target, text, code, fields }
    }

    /// The event that it is.
    pub(super) fn event(&self) -> Option<Event> {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(Event {
            number: 0,
            unix_ms: self.unix_ms,
            level: level_name(self.level),
            code: self.code.clone()?,
            fields: self.fields.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
            text: self.text.clone(),
        })
    }

    /// Where it was said, and the code of an event. All that its fields say is in the sentence.
    fn place(&self) -> String {
        self.code.as_ref().map_or_else(|| self.target.clone(), |code| format!("{}#{code}", self.target))
    }

    fn as_json(&self) -> String {
        let unix_ns = i128::from(self.unix_ms) * 1_000_000;
        let time = OffsetDateTime::from_unix_timestamp_nanos(unix_ns).ok().and_then(|time| time.format(&Rfc3339).ok());
        let mut object = Map::new();
        object.insert("time".to_owned(), time.map_or(Value::from(self.unix_ms), Value::from));
        object.insert("level".to_owned(), level_name(self.level).into());
        object.insert("target".to_owned(), self.target.as_str().into());
        if let Some(code) = &self.code {
            object.insert(CODE.to_owned(), code.as_str().into());
            object.insert("fields".to_owned(), Value::Object(self.fields.iter().cloned().collect()));
        }
        object.insert("message".to_owned(), self.text.as_str().into());
        Value::Object(object).to_string()
    }

    fn as_journal(&self) -> String {
        let priority = match self.level {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        // A line of the journal is one line.
        format!("<{priority}>{}: {}", self.place(), self.text.replace(['\r', '\n'], " "))
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Where lines go.
pub(super) struct Printer {
    format: Format,
    text: SimpleLogger,
}

impl Printer {
    pub(super) fn new(format: Format) -> Printer {
        // What is printed was chosen before it came here.
        Printer { format, text: SimpleLogger::new().with_level(log::LevelFilter::Trace).with_utc_timestamps() }
    }

    /// An error is somebody who reads no more.
    pub(super) fn print(&self, line: &Line) -> io::Result<()> {
        let mut out = io::stdout();
        match self.format {
            Format::Text => {
                let (place, args) = (line.place(), format_args!("{}", line.text));
                self.text.log(&Record::builder().level(line.level).target(&place).args(args).build());
                Ok(())
            }
            Format::Json => writeln!(out, "{}", line.as_json()),
            Format::Journal => writeln!(out, "{}", line.as_journal()),
        }
    }
}

/// Whether a line is an event.
pub(super) fn is_event(record: &Record<'_>) -> bool {
    record.key_values().get(Key::from_str(CODE)).is_some()
}

#[derive(Default)]
struct Fields {
    code: Option<String>,
    fields: Vec<(String, Value)>,
}

impl<'a> VisitSource<'a> for Fields {
    fn visit_pair(&mut self, name: Key<'a>, field: Field<'a>) -> Result<(), Error> {
        match name.as_str() {
            CODE => self.code = Some(field.to_string()),
            name => self.fields.push((name.to_owned(), value(&field))),
        }
        Ok(())
    }
}

fn value(field: &Field<'_>) -> Value {
    let number = field.to_u64().map(Value::from).or_else(|| field.to_i64().map(Value::from));
    number.or_else(|| field.to_bool().map(Value::from)).unwrap_or_else(|| field.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let fields = [("peer", Value::from(2)), ("why", Value::from("it said \"no\""))];
        Line {
            unix_ms: 1_700_000_000_123,
            level: Level::Warn,
            target: "kvstoreapp::replication".to_owned(),
            text: text.to_owned(),
            code: Some("peer_lost".to_owned()),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    #[test]
    fn a_line_is_an_object_with_its_time_code_and_fields() {
        assert_eq!(
            line("link to node 2 lost").as_json(),
            r#"{"event":"peer_lost","fields":{"peer":2,"why":"it said \"no\""},"level":"warn","message":"link to node 2 lost","target":"kvstoreapp::replication","time":"2023-11-14T22:13:20.123Z"}"#
        );
        let said = Line { code: None, fields: Vec::new(), ..line("listening") };
        assert_eq!(
            said.as_json(),
            r#"{"level":"warn","message":"listening","target":"kvstoreapp::replication","time":"2023-11-14T22:13:20.123Z"}"#
        );
    }

    #[test]
    fn the_journal_gets_a_priority_and_one_line() {
        assert_eq!(line("lost\n<3>all").as_journal(), "<4>kvstoreapp::replication#peer_lost: lost <3>all");
        assert!(Line { level: Level::Info, ..line("") }.as_journal().starts_with("<6>"));
    }

    #[test]
    fn fields_keep_their_types_and_an_event_shows_them() {
        let record = Record::builder()
            .level(Level::Info)
            .target("kvstoreapp::node")
            .args(format_args!("said"))
            .key_values(&[("event", "acl_reloaded"), ("users", "3")])
            .build();
        let line = Line::of(&record, 5);
        assert_eq!(line.fields, [("users".to_owned(), Value::from("3"))]);
        let event = line.event().expect("it has a code");
        assert_eq!((event.code.as_str(), event.level, event.unix_ms), ("acl_reloaded", "info", 5));
        assert_eq!(event.fields, [("users".to_owned(), "3".to_owned())]);
        assert_eq!([value(&Field::from(-3_i64)), value(&Field::from(true))], [Value::from(-3), Value::from(true)]);
    }
}
