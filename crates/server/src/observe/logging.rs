//! Logs, to standard error: one line an event, as text or JSON. Control characters never reach a line (AV-16.4.1).

use crate::config::{Log, LogFormat};
use std::io::{self, Write};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

/// Reads a level or a list of directives, as in `info` or `info,audit=off`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_level(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|error| error.to_string())
}

/// The running log; its level can be changed while it runs.
#[derive(Debug)]
pub struct Logging {
    handle: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Starts logging for the whole process, panics included.
    ///
    /// # Errors
    /// A level that does not parse, or logging that runs already.
    pub fn start(log: &Log) -> Result<Self, String> {
        let (filter, handle) = reload::Layer::new(parse_level(&log.level)?);
        let lines: Box<dyn Layer<_> + Send + Sync> = match log.format {
            LogFormat::Json => Box::new(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_writer(io::stderr),
            ),
            LogFormat::Text => Box::new(fmt::layer().with_ansi(false).with_writer(OneLine)),
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .try_init()
            .map_err(|error| error.to_string())?;
        std::panic::set_hook(Box::new(|panic| {
            let place = panic
                .location()
                .map_or_else(String::new, ToString::to_string);
            tracing::error!(
                place,
                message = panic.payload_as_str().unwrap_or("panic"),
                "a task panicked"
            );
        }));
        Ok(Self { handle })
    }

    /// Changes the level from now on.
    ///
    /// # Errors
    /// A level that does not parse; the old one then stays.
    pub fn set_level(&self, level: &str) -> Result<(), String> {
        self.handle
            .reload(parse_level(level)?)
            .map_err(|error| error.to_string())
    }
}

/// Writes each event as exactly one line.
#[derive(Clone, Copy, Debug)]
struct OneLine;

impl<'w> MakeWriter<'w> for OneLine {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

impl Write for OneLine {
    /// The layer hands over a whole event at once, with one line feed at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr()
            .lock()
            .write_all(escape(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Escapes what could start a new line, move the cursor or reorder what is read; the final line feed stays.
fn escape(event: &str) -> String {
    let body = event.strip_suffix('\n').unwrap_or(event);
    let mut line = String::with_capacity(event.len() + 8);
    for c in body.chars() {
        let reorders = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn av_16_4_1_an_event_is_one_line() {
        assert_eq!(
            escape("a\nb\r\u{1b}[31m\u{9b}c\u{202e}\n"),
            "a\\nb\\r\\u{1b}[31m\\u{9b}c\\u{202e}\n"
        );
    }

    #[test]
    fn levels_and_directives_parse() {
        assert!(parse_level("info").is_ok() && parse_level("info,audit=off").is_ok());
        assert!(parse_level("=,=").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_two_lines(text in any::<String>()) {
            let line = escape(&text);
            prop_assert_eq!(line.matches(char::is_control).count(), 1);
        }
    }
}
