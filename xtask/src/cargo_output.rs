//! Reading what `cargo test` prints: counts, failed names and seconds per test binary.

/// One test binary, or one crate's doc tests.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Binary {
    /// The crate's name with underscores, as cargo prints it; doc tests say so.
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// Names of the failed tests.
    pub(crate) failures: Vec<String>,
}

/// Takes the lines one by one.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    done: Vec<Binary>,
    /// Announced and without a result so far.
    running: Option<String>,
    /// Whose unit tests came last: cargo names an integration binary without its package, but runs it behind
    /// the package's unit tests.
    package: String,
    /// Inside the list of names that stands before a failed result.
    failures: Option<Vec<String>>,
}

impl Reader {
    /// Looks at the next line of output.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(heading) = heading(line) {
            self.close_unfinished();
            self.running = Some(self.name(heading));
        } else if line == "failures:" {
            // Printed twice: first before the captured output, then before the names. The second one counts.
            self.failures = Some(Vec::new());
        } else if let Some(mut binary) = result(line) {
            binary.name = self.running.take().unwrap_or_else(|| "unknown".into());
            binary.failures = self
                .failures
                .take()
                .filter(|_| binary.failed > 0)
                .unwrap_or_default();
            self.done.push(binary);
        } else if let (Some(names), Some(name)) = (&mut self.failures, line.strip_prefix("    ")) {
            names.push(name.to_owned());
        }
    }

    /// All binaries; one that died before its result counts as one failure.
    pub(crate) fn finish(mut self) -> Vec<Binary> {
        self.close_unfinished();
        self.done
    }

    fn name(&mut self, heading: Heading) -> String {
        match heading {
            Heading::Unit(name) => {
                self.package.clone_from(&name);
                name
            }
            Heading::Integration(name) => format!("{}: {name}", self.package),
            Heading::Doc(name) => name,
        }
    }

    fn close_unfinished(&mut self) {
        self.failures = None;
        if let Some(name) = self.running.take() {
            let failures = vec!["(the test binary ended without a result)".to_owned()];
            self.done.push(Binary {
                name,
                failed: 1,
                failures,
                ..Binary::default()
            });
        }
    }
}

/// What one of cargo's headings announces.
#[derive(Debug, PartialEq)]
enum Heading {
    /// `Running unittests src/lib.rs (target/debug/deps/cloakroom-0a1b…)`
    Unit(String),
    /// `Running tests/it/main.rs (target/debug/deps/it-0a1b…)`
    Integration(String),
    /// `Doc-tests cloakroom_core`
    Doc(String),
}

fn heading(line: &str) -> Option<Heading> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(Heading::Doc(format!("{} (doc tests)", name.trim())));
    }
    let rest = line.strip_prefix("Running ")?;
    let (source, binary) = rest.strip_suffix(')')?.rsplit_once(" (")?;
    let (name, _hash) = binary.rsplit('/').next()?.rsplit_once('-')?;
    Some(match source.strip_prefix("unittests ") {
        // The library and the server's binary are both called `cloakroom`.
        Some(file) if !file.ends_with("lib.rs") => Heading::Unit(format!("{name} (binary)")),
        Some(_) => Heading::Unit(name.to_owned()),
        None => Heading::Integration(name.to_owned()),
    })
}

/// `test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.04s`
fn result(line: &str) -> Option<Binary> {
    let rest = line.strip_prefix("test result: ")?;
    let (_verdict, counts) = rest.split_once(". ")?;
    let mut binary = Binary::default();
    for part in counts.split("; ") {
        let Some(pair) = part.split_once(' ') else {
            continue;
        };
        match pair {
            (number, "passed") => binary.passed = number.parse().ok()?,
            (number, "failed") => binary.failed = number.parse().ok()?,
            ("finished", time) => {
                binary.seconds = time
                    .trim_start_matches("in ")
                    .trim_end_matches('s')
                    .parse()
                    .ok()?;
            }
            _ => {}
        }
    }
    Some(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Binary> {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.finish()
    }

    #[test]
    fn counts_and_failed_names_are_read() {
        let binaries = read(
            "     Running unittests src/lib.rs (target/debug/deps/cloakroom_core-12ab)\n\
             running 2 tests\ntest a ... ok\ntest b::c ... FAILED\n\nfailures:\n\n---- b::c stdout ----\n    \
             indented output\n\nfailures:\n    b::c\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n\
             \n   Doc-tests cloakroom_core\nrunning 3 tests\n\
             test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s; x\n",
        );
        assert_eq!(binaries.len(), 2);
        assert_eq!(
            (
                binaries[0].name.as_str(),
                binaries[0].passed,
                binaries[0].failed
            ),
            ("cloakroom_core", 1, 1)
        );
        assert_eq!(binaries[0].failures, ["b::c"]);
        assert!((binaries[0].seconds - 1.25).abs() < 1e-9);
        assert_eq!(
            (binaries[1].name.as_str(), binaries[1].passed),
            ("cloakroom_core (doc tests)", 3)
        );
    }

    #[test]
    fn a_binary_that_dies_is_a_failure() {
        let binaries = read(
            "     Running unittests src/main.rs (target/debug/deps/cloakroom-0)\n\
             test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                  Running tests/it/main.rs (target/debug/deps/it-77)\nrunning 9 tests\n\
             error: test failed, to rerun pass `-p x --test it`\n\
             Caused by: signal: 6\n     Running unittests src/main.rs (target/debug/deps/xtask-1)\n\
             test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        let seen: Vec<_> = binaries
            .iter()
            .map(|binary| (binary.name.as_str(), binary.failed))
            .collect();
        assert_eq!(
            seen,
            [
                ("cloakroom (binary)", 0),
                ("cloakroom (binary): it", 1),
                ("xtask (binary)", 0)
            ]
        );
    }
}
