//! Passwords: from the first line of standard input, or typed without echo; never an argument, which others can see.

use super::Failure;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, IsTerminal, Read, Write},
};
use zeroize::Zeroizing;

/// The longest password that is read, in bytes.
const LONGEST: u64 = 1024;

/// The password for this user: `None` where none was given and the server should make one.
pub(super) fn ask(
    name: &str,
    from_stdin: bool,
    json: bool,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if from_stdin {
        return read_line().map(Some);
    }
    if json || !io::stdin().is_terminal() {
        return Ok(None);
    }
    let first = prompt(&format!("Password for {name} (empty: make one): "))?;
    if first.is_empty() {
        return Ok(None);
    }
    let second = prompt("Again: ")?;
    if *first == *second {
        Ok(Some(first))
    } else {
        Err(Failure::Failed("the two passwords differ".into()))
    }
}

fn read_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    io::stdin()
        .lock()
        .take(LONGEST + 2)
        .read_line(&mut line)
        .map_err(|error| Failure::Failed(format!("cannot read the password: {error}")))?;
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    match length {
        0 => Err(Failure::Failed("no password on standard input".into())),
        1..=1024 => Ok(line),
        _ => Err(Failure::Failed(format!(
            "the password is longer than {LONGEST} bytes"
        ))),
    }
}

/// Puts the terminal back as it was, however the prompt ends.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    let failed =
        |error: io::Error| Failure::Failed(format!("cannot ask for the password: {error}"));
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(failed)?;
    let before = tcgetattr(&terminal).map_err(|error| failed(error.into()))?;
    let mut quiet = before.clone();
    // Without ISIG: Ctrl-C must reach us as a byte, or it would end the process with the echo still off.
    quiet
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
    quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
    terminal.write_all(question.as_bytes()).map_err(failed)?;
    tcsetattr(&terminal, OptionalActions::Flush, &quiet).map_err(|error| failed(error.into()))?;
    let typed = {
        let _quiet = Quiet {
            terminal: &terminal,
            before,
        };
        read_typed(&terminal)
    };
    let _ = terminal.write_all(b"\n");
    let typed = typed.map_err(failed)?;
    let text = std::str::from_utf8(&typed)
        .map_err(|_| Failure::Failed("the password is not UTF-8".into()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn read_typed(mut terminal: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // With room from the start: a growing buffer would leave copies behind.
    let mut typed = Zeroizing::new(Vec::with_capacity(1024));
    let mut byte = [0];
    loop {
        if terminal.read(&mut byte)? == 0 {
            return Ok(typed);
        }
        match byte[0] {
            b'\n' | b'\r' | 0x04 => return Ok(typed),
            0x03 => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            0x08 | 0x7f => while typed.pop().is_some_and(|b| b & 0xc0 == 0x80) {},
            other if typed.len() < 1024 => typed.push(other),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "too long")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_can_be_corrected_and_given_up() {
        assert_eq!(
            **read_typed(&b"paxx\x7f\x7fss\xc3\xa4\x7fword\n"[..]).unwrap(),
            *b"password"
        );
        assert!(read_typed(&b"pa\x03"[..]).is_err());
        assert!(read_typed(&[b'x'; 2000][..]).is_err());
    }
}
