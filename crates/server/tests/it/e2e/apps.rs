//! The web applications behind the proxies. Nobody here wrote them, but for the login form of the docs.

use super::{
    ports,
    program::Program,
    site::{ADA, Plan, run},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

impl Plan {
    /// Python's reference WSGI server and its demonstration: a page with the request's environment. It takes
    /// `X_Auth_Subject` for `X-Auth-Subject`, as many do.
    pub(super) fn echo(&self) -> (u16, Program) {
        let port = ports::free();
        let code = format!(
            "from wsgiref.simple_server import demo_app, make_server\n\
             make_server('127.0.0.1', {port}, demo_app).serve_forever()"
        );
        // Its page shows its environment too, which may hold anything.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new("python3");
        command.args(["-c", &code]).env_clear().env("PATH", path);
        (port, self.start("echo", command, port))
    }

    /// Python's file server, which lists folders.
    pub(super) fn files(&self) -> (u16, Program) {
        let port = ports::free();
        let root = self.folder.path().join("files");
        fs::create_dir_all(root.join("reports")).unwrap();
        fs::write(root.join("reports/june.txt"), "the report of June").unwrap();
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]);
        command.arg(root).arg(port.to_string());
        (port, self.start("files", command, port))
    }

    /// The login form of `docs/proxies`, with the key of a service.
    pub(super) fn own_form(&self, key: &Path) -> (u16, Program) {
        let port = ports::free();
        let script =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxies/own-form.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(port.to_string());
        command.env("CLOAKROOM", format!("http://127.0.0.1:{}", self.cloakroom));
        command.env("PUBLIC", format!("https://app1.test:{}", self.port));
        command.env("KEY_FILE", key);
        (port, self.start("own-form", command, port))
    }

    /// Fossil: a whole application, with a user of the same name and password as [`ADA`].
    pub(super) fn fossil(&self) -> (u16, Program) {
        let (port, folder) = (ports::free(), self.folder.path());
        let fossil = || {
            let mut command = Command::new("fossil");
            command
                .current_dir(folder)
                .env("HOME", folder)
                .env("USER", ADA.0);
            command
        };
        for args in [
            &["init", "--admin-user", ADA.0, "app.fossil"][..],
            &["user", "password", ADA.0, ADA.1, "-R", "app.fossil"],
        ] {
            run(fossil().args(args));
        }
        let mut command = fossil();
        command.args([
            "server",
            "--localhost",
            "--https",
            "--port",
            &port.to_string(),
            "--baseurl",
        ]);
        command
            .arg(format!("https://app.test:{}", self.port))
            .arg("app.fossil");
        (port, self.start("fossil", command, port))
    }
}
