//! Logs, to standard error: one line an event, as text or JSON. Control characters never reach a line (AV-16.4.1).

use super::Observed;
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
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(OneDocument),
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

/// Writes each event as one JSON document, with the request that it belongs to.
#[derive(Clone, Copy, Debug)]
struct OneDocument;

impl<'w> MakeWriter<'w> for OneDocument {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

impl Write for OneDocument {
    /// The layer hands over a whole event at once: a JSON object and a line feed.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let whole = event.strip_suffix(b"}\n");
        match whole.and_then(|front| Some((front, Observed::current(Observed::member)?))) {
            Some((front, member)) => {
                let document = [front, b",", member.as_bytes(), b"}\n"].concat();
                io::stderr().lock().write_all(&document)?;
            }
            None => io::stderr().lock().write_all(event)?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Writes each event as exactly one line, with the request that it belongs to.
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
        let mut line = String::from_utf8_lossy(event);
        if let Some(request) = Observed::current(ToString::to_string) {
            let at = behind_level(&line);
            line.to_mut().insert_str(at, &request);
        }
        io::stderr().lock().write_all(escape(&line).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Where a line goes on after its time and level: `2026-01-01T00:00:00Z  INFO `.
fn behind_level(line: &str) -> usize {
    let mut words = line.split_inclusive(' ').scan(0, |at, word| {
        *at += word.len();
        Some((*at, word.trim_end()))
    });
    // The level is set right with spaces.
    let mut words = words.by_ref().skip(1).filter(|(_, word)| !word.is_empty());
    words.next().map_or(0, |(end, _)| end)
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
    fn a_request_stands_behind_time_and_level() {
        for line in ["2026Z  INFO audit: x y", "2026Z ERROR audit: x y"] {
            assert_eq!(&line[behind_level(line)..], "audit: x y");
        }
        assert_eq!(behind_level("strange"), 0);
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
