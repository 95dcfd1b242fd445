//! A whole deployment: the server, a proxy with the configuration that users copy, and the applications behind it.

use super::{
    curl::Curl,
    ports,
    program::{Program, show},
};
use crate::support::{Server, Setup};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Every name that the certificate holds and clients find on this machine.
pub(super) const HOSTS: [&str; 6] = [
    "app.test",
    "app1.test",
    "app2.test",
    "app1.site.test",
    "app2.site.test",
    "evil.test",
];

/// The person, and the password.
pub(super) const ADA: (&str, &str) = ("ada", "correct horse battery staple");

/// Somebody else, as honest as any attacker with an account of his own.
pub(super) const MALLORY: (&str, &str) = ("mallory", "mallory's own password 1");

/// Whom the form of one's own knows.
pub(super) const GRACE: (&str, &str) = ("grace", "a password of this form");

/// The cookie where each host has its own.
pub(super) const HOST_COOKIE: &str = "__Host-session";

/// The cookie that the hosts of one site share.
pub(super) const SHARED_COOKIE: &str = "__Secure-session";

/// Where the server leaves the key for services.
const API_KEY_FILE: &str = "first.key";

/// A running deployment.
#[derive(Debug)]
pub(super) struct Site {
    // Dropped in this order: the proxy before what it points to, the folder last.
    _proxy: Program,
    _apps: Vec<Program>,
    server: Option<Server>,
    folder: TempDir,
    port: u16,
}

/// Ports and files of a deployment about to start.
pub(super) struct Plan {
    pub(super) folder: TempDir,
    /// Where browsers knock.
    pub(super) port: u16,
    /// Where the server listens.
    pub(super) cloakroom: u16,
}

impl Site {
    /// nginx before an application that shows the request as it arrived, all on `app.test`.
    pub(super) async fn nginx() -> Self {
        Self::nginx_with("").await
    }

    /// The same; `more` is added to the server's configuration.
    pub(super) async fn nginx_with(more: &str) -> Self {
        let plan = Plan::new();
        let config = plan.config("app.test", more);
        let (app, echo) = plan.echo();
        let server = plan.serve(&config).await;
        let proxy = plan.nginx(app);
        plan.site(server, proxy, vec![echo])
    }

    /// nginx before Fossil, a whole application with pages, styles, scripts, forms and a login of its own, in which
    /// [`ADA`] has the same name and password.
    pub(super) async fn nginx_before_fossil() -> Self {
        let plan = Plan::new();
        let config = plan.config("app.test", "");
        let (app, fossil) = plan.fossil();
        let server = plan.serve(&config).await;
        let proxy = plan.nginx(app);
        plan.site(server, proxy, vec![fossil])
    }

    /// Caddy before two applications: on `app1.test` one that shows the request as it arrived, on `app2.test` a file
    /// server. Each host has a cookie of its own.
    pub(super) async fn caddy() -> Self {
        Self::caddy_with("").await
    }

    /// The same; `more` is added to the server's configuration.
    pub(super) async fn caddy_with(more: &str) -> Self {
        Self::behind_caddy(["app1.test", "app2.test"], more, HOST_COOKIE).await
    }

    /// The same on two hosts of one site that share a cookie.
    pub(super) async fn caddy_with_domain() -> Self {
        let domain = "[cookie]\ndomain = \"site.test\"\n";
        Self::behind_caddy(["app1.site.test", "app2.site.test"], domain, SHARED_COOKIE).await
    }

    /// On `app1.test` a login form of one's own, the one of `docs/proxies`, which knows [`GRACE`]; on `app2.test` files.
    pub(super) async fn caddy_with_own_form() -> Self {
        let plan = Plan::new();
        let port = plan.port;
        let config = plan.config(
            "app1.test",
            &format!(
                "[login]\nurl = \"https://app1.test:{port}/mine/login\"\n\
                 allowed_origins = [\"https://app2.test:{port}\"]\n\
                 [[access]]\npath = \"/mine\"\nallow = \"public\"\n"
            ),
        );
        let server = plan.serve(&config).await;
        let key = server.setup().path().join(API_KEY_FILE);
        let ((first, form), (second, files)) = (plan.own_form(&key), plan.files());
        let proxy = plan.caddy(["app1.test", "app2.test"], [first, second], HOST_COOKIE);
        plan.site(server, proxy, vec![form, files])
    }

    async fn behind_caddy(hosts: [&str; 2], more: &str, cookie: &str) -> Self {
        let plan = Plan::new();
        let second = format!("https://{}:{}", hosts[1], plan.port);
        let more = format!("[login]\nallowed_origins = [\"{second}\"]\n{more}");
        let config = plan.config(hosts[0], &more);
        let ((first, echo), (second, files)) = (plan.echo(), plan.files());
        let server = plan.serve(&config).await;
        let proxy = plan.caddy(hosts, [first, second], cookie);
        plan.site(server, proxy, vec![echo, files])
    }

    /// The address of a page.
    pub(super) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// A client without cookies.
    pub(super) fn curl(&self) -> Curl {
        Curl::new(&certificate(self.folder.path()).0, self.port)
    }

    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// Pulls the plug of the server.
    pub(super) fn kill9(&mut self) {
        self.server.as_mut().unwrap().kill9();
    }

    /// Starts the server again over the same data.
    pub(super) async fn restart(&mut self) {
        let server = self.server.take().unwrap();
        self.server = Some(server.restart().await);
    }

    /// A call of the API, as a service makes it.
    pub(super) async fn api(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        let server = self.server();
        let key = fs::read_to_string(server.setup().path().join(API_KEY_FILE)).unwrap();
        let request = server
            .client()
            .post(server.url(path))
            .bearer_auth(key.trim());
        let answer = request.json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Whose session this token opens; `None` where it opens nothing.
    pub(super) async fn opens(&self, token: &str) -> Option<serde_json::Value> {
        let body = serde_json::json!({ "session_token": token, "touch": false });
        let answer = self.api("/v1/sessions/verify", body).await;
        (answer["active"] == true).then_some(answer)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let (true, Some(server)) = (std::thread::panicking(), &self.server) {
            show("cloakroom", &server.stderr());
        }
    }
}

impl Plan {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path());
        Self {
            folder,
            port: ports::free(),
            cloakroom: ports::free(),
        }
    }

    fn config(&self, public: &str, more: &str) -> String {
        let port = self.port;
        format!(
            "[server]\npublic_url = \"https://{public}:{port}\"\nbase_path = \"/_auth\"\n\
             [bootstrap]\napi_key_file = \"{API_KEY_FILE}\"\n{more}"
        )
    }

    async fn serve(&self, config: &str) -> Server {
        let listen = format!("127.0.0.1:{}", self.cloakroom);
        let setup = Setup::new().config(config).arg("--listen").arg(listen);
        let server = setup.start().await;
        for (name, password) in [ADA, MALLORY] {
            add_user(server.setup(), name, password);
        }
        server
    }

    fn nginx(&self, app: u16) -> Program {
        let folder = self.folder.path();
        let (certificate, key) = certificate(folder);
        let site = fill_in(
            "nginx.conf",
            &[
                (
                    "/etc/ssl/app.example.com.crt",
                    &certificate.display().to_string(),
                ),
                ("/etc/ssl/app.example.com.key", &key.display().to_string()),
                (
                    "listen 443 ssl;",
                    &format!("listen 127.0.0.1:{} ssl;", self.port),
                ),
                ("server_name app.example.com;", "server_name app.test;"),
                ("127.0.0.1:7878", &format!("127.0.0.1:{}", self.cloakroom)),
                ("127.0.0.1:8080", &format!("127.0.0.1:{app}")),
            ],
        );
        fs::write(folder.join("site.conf"), site).unwrap();
        // Workers of a master that runs as root would not get into the folder as anybody else.
        let user = if rustix::process::getuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .concat();
        let main = format!(
            "{user} daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;\n\
             events {{}}\nhttp {{\naccess_log off;\n{temporary}include site.conf;\n}}\n"
        );
        fs::write(folder.join("main.conf"), main).unwrap();
        let mut command = Command::new("nginx");
        command
            .args(["-e", "stderr", "-c", "main.conf", "-p"])
            .arg(folder);
        self.start("nginx", command, self.port)
    }

    fn caddy(&self, hosts: [&str; 2], apps: [u16; 2], cookie: &str) -> Program {
        let folder = self.folder.path();
        let (certificate, key) = certificate(folder);
        let site = |host: &str| {
            let (port, crt, key) = (self.port, certificate.display(), key.display());
            format!("https://{host}:{port} {{\n\tbind 127.0.0.1\n\ttls {crt} {key}")
        };
        let sites = fill_in(
            "Caddyfile",
            &[
                ("app1.example.com {", &site(hosts[0])),
                ("app2.example.com {", &site(hosts[1])),
                ("127.0.0.1:7878", &format!("127.0.0.1:{}", self.cloakroom)),
                ("127.0.0.1:8081", &format!("127.0.0.1:{}", apps[0])),
                ("127.0.0.1:8082", &format!("127.0.0.1:{}", apps[1])),
                ("__Host-session=", &format!("{cookie}=")),
            ],
        );
        let main = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{sites}");
        fs::write(folder.join("Caddyfile"), main).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]);
        command.arg(folder.join("Caddyfile"));
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, folder);
        }
        self.start("caddy", command, self.port)
    }

    pub(super) fn start(&self, name: &str, command: Command, port: u16) -> Program {
        Program::start(name, self.folder.path(), command).listening_on(port)
    }

    fn site(self, server: Server, proxy: Program, apps: Vec<Program>) -> Site {
        Site {
            _proxy: proxy,
            _apps: apps,
            server: Some(server),
            folder: self.folder,
            port: self.port,
        }
    }
}

/// A configuration of `docs/proxies` with the addresses of a test; one that no longer holds what is to be filled in
/// fails the test.
fn fill_in(name: &str, values: &[(&str, &str)]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/proxies");
    let mut text = fs::read_to_string(folder.join(name)).unwrap();
    for (from, to) in values {
        assert!(text.contains(from), "{name} does not hold {from:?}");
        text = text.replace(from, to);
    }
    text
}

fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("site.crt"), folder.join("site.key"))
}

fn make_certificate(folder: &Path) {
    let (certificate, key) = certificate(folder);
    let names = HOSTS.map(|host| format!("DNS:{host}")).join(",");
    run(Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args([
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Cloakroom end-to-end tests",
            "-addext",
        ])
        .arg(format!("subjectAltName={names}"))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate));
}

/// Runs a command to its end, which must be a success.
pub(super) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}

fn add_user(setup: &Setup, name: &str, password: &str) {
    let mut command = setup.command();
    command.args(["user", "add", name, "--password-stdin"]);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
