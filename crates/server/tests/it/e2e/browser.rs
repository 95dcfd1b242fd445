//! Real Chromium, driven through chromedriver.

use super::ports;
use super::program::Program;
use crate::support::PATIENCE;
use serde_json::{Value, json};
use std::{
    mem::ManuallyDrop,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, prelude::*};
use tokio::sync::{Mutex, MutexGuard};

/// One test at a time has browsers: two cores cannot start more within anybody's patience.
static TURN: Mutex<()> = Mutex::const_new(());

/// A chromedriver, and the folder in which its browsers keep their profiles.
pub(super) struct Browsers {
    // Dropped in this order: the program, then its files, then it is another test's turn.
    _driver: Program,
    folder: TempDir,
    port: u16,
    _turn: MutexGuard<'static, ()>,
}

/// One browser with a profile of its own, as on another device.
///
/// It is never told to quit: that takes seconds, and a minute where the test's runtime is already gone. [`Browsers`]
/// ends its processes.
#[derive(Debug)]
pub(super) struct Browser {
    driver: ManuallyDrop<WebDriver>,
}

/// A cookie as the browser keeps it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) domain: String,
    pub(super) path: String,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) session: bool,
    pub(super) same_site: String,
}

impl Browsers {
    /// Waits for this test's turn.
    pub(super) async fn start() -> Self {
        let turn = TURN.lock().await;
        let (folder, port) = (tempfile::tempdir().unwrap(), ports::free());
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        // Whatever Chromium or its libraries keep besides the profile stays in the folder.
        command.env("HOME", folder.path());
        command.env("TMPDIR", folder.path());
        let driver = Program::start("chromedriver", folder.path(), command).listening_on(port);
        Self {
            _driver: driver,
            folder,
            port,
            _turn: turn,
        }
    }

    /// A browser with a fresh profile.
    pub(super) async fn open(&self) -> Browser {
        let profile = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let mut capabilities = DesiredCapabilities::chrome();
        for flag in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--ignore-certificate-errors",
            // Names of the tests lead to this machine, all others nowhere.
            "--host-resolver-rules=MAP *.test 127.0.0.1,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1",
            "--window-size=1000,760",
        ] {
            capabilities.add_arg(flag).unwrap();
        }
        let profile = format!("--user-data-dir={}", profile.display());
        capabilities.add_arg(&profile).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let driver = WebDriver::builder(format!("http://127.0.0.1:{}", self.port), capabilities)
            .client(client)
            .connect()
            .await
            .unwrap();
        Browser {
            driver: ManuallyDrop::new(driver),
        }
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        // Browsers put themselves into groups of their own. Theirs is whoever was started with this folder's name.
        let folder = self.folder.path().display().to_string();
        for pid in with_argument(&folder) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

fn with_argument(text: &str) -> Vec<rustix::process::Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line)
                .contains(text)
                .then(|| rustix::process::Pid::from_raw(pid))?
        })
        .collect()
}

impl Browser {
    /// Goes to an address as if it was typed.
    pub(super) async fn visit(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(super) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    pub(super) async fn back(&self) {
        self.driver.back().await.unwrap();
    }

    /// Opens a tab and stays in it.
    pub(super) async fn new_tab(&self) {
        let tab = self.driver.new_tab().await.unwrap();
        self.driver.switch_to_window(tab).await.unwrap();
    }

    pub(super) async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// The text that a person reads.
    pub(super) async fn text(&self) -> String {
        let text = self.script("return document.body ? document.body.innerText : ''");
        text.await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the address begins like this and the page is complete.
    pub(super) async fn arrive(&self, at: &str) {
        let at = at.to_owned();
        let state = "return [location.href, document.readyState]";
        self.until(&format!("the page {at}"), async || {
            let now = self.script(state).await;
            now[0].as_str().is_some_and(|url| url.starts_with(&at)) && now[1] == "complete"
        })
        .await;
    }

    /// Waits until a person can read this.
    pub(super) async fn read(&self, text: &str) {
        self.until(&format!("the words {text:?}"), async || {
            self.text().await.contains(text)
        })
        .await;
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let started = Instant::now();
        while !is_so().await {
            if started.elapsed() > PATIENCE {
                let (url, text) = (self.url().await, self.text().await);
                panic!("waited too long for {what}; at {url}, reading:\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types into the field of this name, in place of what stands there.
    pub(super) async fn fill(&self, name: &str, text: &str) {
        let field = self.driver.find(By::Name(name)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the first button that is called so.
    pub(super) async fn press(&self, called: &str) {
        let lower = called.to_lowercase();
        for button in self
            .driver
            .find_all(By::Css("button, input[type=submit]"))
            .await
            .unwrap()
        {
            let value = button.value().await.unwrap().unwrap_or_default();
            let text = format!("{} {value}", button.text().await.unwrap()).to_lowercase();
            if text.contains(&lower) {
                return button.click().await.unwrap();
            }
        }
        panic!(
            "no button {called:?} at {}:\n{}",
            self.url().await,
            self.text().await
        );
    }

    /// Presses a button and waits for the page that comes of it, also where that has the same address.
    pub(super) async fn press_and_wait(&self, called: &str) {
        self.script("window.before = true").await;
        self.press(called).await;
        let next = "return window.before !== true && document.readyState === 'complete'";
        self.until(&format!("what {called:?} does"), async || {
            self.script(next).await == true
        })
        .await;
    }

    /// Fills in the login form and sends it off.
    pub(super) async fn log_in(&self, user: &str, password: &str) {
        self.fill("username", user).await;
        self.fill("password", password).await;
        self.driver
            .find(By::Css("form button[type=submit], form button:not([type])"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }

    pub(super) async fn script(&self, code: &str) -> Value {
        let done = self.driver.execute(code, Vec::new()).await;
        // Between two pages there is no document to ask.
        done.map_or(Value::Null, |value| value.json().clone())
    }

    /// Every cookie of the profile, of all hosts, `HttpOnly` ones too.
    pub(super) async fn cookies(&self) -> Vec<Kept> {
        let cdp = self.driver.cdp();
        let all = cdp.send_raw("Network.getAllCookies", json!({})).await;
        let all = all.unwrap();
        let text =
            |cookie: &Value, name: &str| cookie[name].as_str().unwrap_or_default().to_owned();
        all["cookies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cookie| Kept {
                name: text(cookie, "name"),
                value: text(cookie, "value"),
                domain: text(cookie, "domain"),
                path: text(cookie, "path"),
                secure: cookie["secure"] == true,
                http_only: cookie["httpOnly"] == true,
                session: cookie["session"] == true,
                same_site: text(cookie, "sameSite"),
            })
            .collect()
    }

    /// The one cookie of this name; of this host too, where one is named.
    pub(super) async fn cookie(&self, name: &str, domain: &str) -> Option<Kept> {
        let all = self.cookies().await;
        let mut fitting = all
            .into_iter()
            .filter(|c| c.name == name && c.domain == domain);
        let first = fitting.next();
        assert!(fitting.next().is_none(), "two cookies {name} of {domain}");
        first
    }

    /// Plants a cookie, as an attacker does who once could write into the browser's jar.
    pub(super) async fn plant(&self, url: &str, name: &str, value: &str) {
        let cookie = json!({
            "url": url, "name": name, "value": value, "path": "/",
            "secure": true, "httpOnly": true, "sameSite": "Lax",
        });
        let answer = self
            .driver
            .cdp()
            .send_raw("Network.setCookie", cookie)
            .await;
        assert_eq!(answer.unwrap()["success"], true);
    }

    /// Writes a picture of the window to `target/screenshots/NAME.png`.
    pub(super) async fn screenshot(&self, name: &str) {
        let folder = target().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        self.driver.screenshot(&path).await.unwrap();
    }
}

/// The target folder of this build.
fn target() -> PathBuf {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_cloakroom"));
    binary.ancestors().nth(2).unwrap().to_owned()
}
