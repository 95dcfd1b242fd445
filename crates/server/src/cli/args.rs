//! What can be typed. The help texts are these comments.

use crate::config::Flags;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Keeps web sessions: hand over your coat, keep the ticket.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "cloakroom", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The configuration file [default: cloakroom.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", env = "CLOAKROOM_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where everything that must outlive the process is kept [default: cloakroom-data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where session records live, as in embedded:PATH or memory: [default: embedded: in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// Answer with one JSON document on standard output
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Manage the server at this address instead of the one on this machine
    #[arg(long, global = true, value_name = "URL", env = "CLOAKROOM_SERVER")]
    pub(super) server: Option<String>,
    /// The file that holds the API key for --server; or set CLOAKROOM_API_KEY
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "CLOAKROOM_API_KEY_FILE"
    )]
    pub(super) api_key_file: Option<PathBuf>,
    /// Trust an https --server by the authorities in this PEM file alone [default: those of the system]
    #[arg(long, global = true, value_name = "FILE", env = "CLOAKROOM_CA_FILE")]
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server
    Serve(Serve),
    /// The built-in directory of users
    #[command(subcommand)]
    User(User),
    /// Credentials of services
    #[command(subcommand)]
    ApiKey(ApiKey),
    /// Look at sessions and end them
    #[command(subcommand)]
    Session(Session),
    /// Copy every live session, user, key and setting to another store
    ///
    /// The old store stays as it is. Nobody is logged out, and nothing that ended comes back: run it as often as you like,
    /// also while servers use either store. Run it once more after the last server has changed over.
    Migrate(Migrate),
    /// Check a configuration without starting anything
    CheckConfig {
        /// The file to check [default: --config, else cloakroom.toml]
        file: Option<PathBuf>,
    },
    /// Show the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Print what a shell needs to complete this command line
    #[cfg(feature = "completions")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Ask the running server whether it is ready
    Healthcheck {
        /// Where it listens, if it has no control.sock [default: server.listen]
        #[arg(long, value_name = "ADDR:PORT|unix:PATH")]
        listen: Option<String>,
    },
}

#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Where requests arrive [default: 127.0.0.1:7878]
    #[arg(long, value_name = "ADDR:PORT|unix:PATH")]
    listen: Option<String>,
    /// The address that browsers use, as in https://login.example.com
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Speak https, by this PEM file of a certificate chain
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The PEM file of its private key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Write nothing to disk at all
    #[arg(long)]
    ephemeral: bool,
    /// How log lines look
    #[arg(long, value_name = "text|json")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user; without a given password one is made and printed once
    Add {
        name: String,
        /// What the user may do, as in admin; may be given several times
        #[arg(long)]
        role: Vec<String>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all users
    List,
    /// Set a new password; the person's other sessions end
    Passwd {
        name: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a user from logging in; all the person's sessions end
    Disable { name: String },
    /// Remove a user; all the person's sessions end
    Remove { name: String },
}

#[derive(Debug, Subcommand)]
pub(super) enum ApiKey {
    /// Make a key; it is printed once
    Create {
        name: String,
        /// What the key may do; may be given several times, or separated by commas
        #[arg(long, required = true, value_delimiter = ',', num_args = 1..)]
        #[arg(value_parser = ["sessions:read", "sessions:write", "sessions:impersonate", "tokens", "admin"])]
        scope: Vec<String>,
        /// The application whose sessions alone it creates and sees
        #[arg(long, value_name = "NAME")]
        app: Option<String>,
    },
    /// List all keys, without the keys themselves
    List,
    /// Revoke a key
    Revoke { name: String },
}

#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// List sessions
    List {
        /// Only those of this subject
        #[arg(long)]
        subject: Option<String>,
    },
    /// Show one session
    Show {
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// End one session, or all of a subject
    Revoke {
        #[arg(
            required_unless_present = "subject",
            conflicts_with = "subject",
            allow_hyphen_values = true
        )]
        id: Option<String>,
        /// End all sessions of this subject
        #[arg(long)]
        subject: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The store to copy from [default: the configured one]
    #[arg(long, value_name = "URL", conflicts_with = "from_file")]
    pub(super) from: Option<String>,
    /// The file that holds the URL to copy from, because everybody on a machine can read its command lines
    #[arg(long, value_name = "FILE")]
    pub(super) from_file: Option<PathBuf>,
    /// The store to copy to
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "to_file",
        required_unless_present = "to_file"
    )]
    pub(super) to: Option<String>,
    /// The file that holds the URL to copy to
    #[arg(long, value_name = "FILE")]
    pub(super) to_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Print the effective configuration, where each value comes from, and no secret
    Print,
}

impl Command {
    /// Whether the command makes something where nothing was before.
    pub(super) fn begins(&self) -> bool {
        matches!(
            self,
            Self::User(User::Add { .. }) | Self::ApiKey(ApiKey::Create { .. })
        )
    }
}

impl Cli {
    /// The layer of the flags.
    pub(super) fn flags(&self) -> Flags {
        let mut flags = Flags {
            file: self.global.config.clone(),
            values: Vec::new(),
        };
        let mut add = |flag, key, value: &Option<String>| {
            if let Some(value) = value {
                flags.values.push((flag, key, value.clone()));
            }
        };
        add("--data-dir", "server.data_dir", &self.global.data_dir);
        add("--store", "store.url", &self.global.store);
        if let Some(Command::Serve(serve)) = &self.command {
            add("--listen", "server.listen", &serve.listen);
            add("--public-url", "server.public_url", &serve.public_url);
            add("--tls-cert", "server.tls.certificate", &serve.tls_cert);
            add("--tls-key", "server.tls.key_file", &serve.tls_key);
            add(
                "--ephemeral",
                "server.ephemeral",
                &serve.ephemeral.then(|| "true".to_owned()),
            );
            add("--log", "log.format", &serve.log);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn scopes_may_be_given_in_several_ways() {
        for line in [
            "cloakroom api-key create n --scope admin --scope tokens",
            "cloakroom api-key create n --scope admin,tokens",
            "cloakroom api-key create n --scope admin tokens",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Some(Command::ApiKey(ApiKey::Create { scope, .. })) = cli.command else {
                panic!("{line}")
            };
            assert_eq!(scope, ["admin", "tokens"], "{line}");
        }
        assert!(
            Cli::try_parse_from(["cloakroom", "api-key", "create", "n", "--scope", "x"]).is_err()
        );
        assert!(Cli::try_parse_from(["cloakroom", "api-key", "create", "n"]).is_err());
    }

    #[test]
    fn commands_of_later_releases_are_wrong_use() {
        for command in [
            "key", "audit", "token", "cookie", "routes", "cluster", "client",
        ] {
            assert!(
                Cli::try_parse_from(["cloakroom", command, "list"]).is_err(),
                "{command}"
            );
        }
    }
}
