//! Shells complete the command line by the script that the binary prints.

use super::support::Setup;
use std::process::Command;

fn script(setup: &Setup, shell: &str) -> String {
    let output = setup.run(&["completions", shell]);
    assert!(output.status.success(), "{shell}: {output:?}");
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for the last of these words.
fn offered(setup: &Setup, line: &str) -> Vec<String> {
    // As readline calls it: the words, the index of the last one, and the three arguments of the function.
    let program = r#"
        source ./completions.bash
        function=$(complete -p cloakroom | sed 's/.*-F \([^ ]*\).*/\1/')
        read -r -a COMP_WORDS <<< "$LINE"
        [[ $LINE == *" " ]] && COMP_WORDS+=("")
        COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "$function" cloakroom "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", program])
        .env("LINE", line)
        .current_dir(setup.path())
        .output()
        .unwrap();
    assert!(
        output.stderr.is_empty(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let setup = Setup::new();
    std::fs::write(
        setup.path().join("completions.bash"),
        script(&setup, "bash"),
    )
    .unwrap();
    for (line, offers) in [
        ("cloakroom us", &["user"][..]),
        ("cloakroom che", &["check-config"]),
        ("cloakroom user p", &["passwd"]),
        ("cloakroom serve --tl", &["--tls-cert", "--tls-key"]),
        ("cloakroom session revoke --sub", &["--subject"]),
        (
            "cloakroom api-key create n --scope sessions:i",
            &["sessions:impersonate"],
        ),
        ("cloakroom completions z", &["zsh"]),
        ("cloakroom nothing-like-this", &[]),
    ] {
        assert_eq!(offered(&setup, line), offers, "{line}");
    }
    let all = offered(&setup, "cloakroom ");
    for command in [
        "serve",
        "user",
        "api-key",
        "session",
        "healthcheck",
        "completions",
    ] {
        assert!(
            all.iter().any(|offer| offer == command),
            "{command}: {all:?}"
        );
    }
}

#[test]
fn every_other_shell_has_a_script_that_it_can_parse() {
    let setup = Setup::new();
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let text = script(&setup, shell);
        assert!(
            text.contains("healthcheck") && text.contains("ca-file"),
            "{shell}"
        );
        // Both only parse with -n. The others have no such flag.
        if !["zsh", "fish"].contains(&shell) {
            continue;
        }
        let file = setup.path().join(shell);
        std::fs::write(&file, text).unwrap();
        match Command::new(shell).arg("-n").arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
            // The shell is not installed here; what it would say is not known.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
    assert_eq!(setup.run(&["completions", "csh"]).status.code(), Some(2));
}
