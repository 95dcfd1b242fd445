//! What the tests of pages share: people, forms and cookies, without a browser.

use super::support::{Server, Setup};
use reqwest::{RequestBuilder, Response, header};

/// The person, and the password.
pub(crate) const ADA: (&str, &str) = ("ada", "correct horse battery staple");

/// A server on which [`ADA`] has an account; `more` is added to the configuration.
pub(crate) async fn server_with(more: &str) -> Server {
    // The weakest costs that are allowed: what is tested here is not how slow a hash is.
    let costs = "[argon2]\nmemory = \"7MiB\"\niterations = 1\n";
    let setup = Setup::new().config(&format!("{more}\n{costs}"));
    let server = setup.start().await;
    add_user(&server, ADA, &[]);
    server
}

/// Adds a person by the command.
pub(crate) fn add_user(server: &Server, (name, password): (&str, &str), more: &[&str]) {
    let mut command = server.setup().command();
    command
        .args(["user", "add", name, "--password-stdin"])
        .args(more);
    let output = with_input(command, password);
    assert!(output.status.success(), "{output:?}");
}

/// Runs a command with this line on standard input.
pub(crate) fn with_input(mut command: std::process::Command, line: &str) -> std::process::Output {
    use std::{io::Write, process::Stdio};
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    child.wait_with_output().unwrap()
}

/// The login form, filled in.
pub(crate) fn login(
    server: &Server,
    (name, password): (&str, &str),
    return_to: &str,
) -> RequestBuilder {
    let fields = [
        ("username", name),
        ("password", password),
        ("return_to", return_to),
    ];
    server.client().post(server.url("/login")).form(&fields)
}

/// Logs in and gives back the `Cookie` header of a browser that did.
pub(crate) async fn logged_in(server: &Server, who: (&str, &str)) -> String {
    let response = login(server, who, "").send().await.unwrap();
    assert_eq!(response.status(), 303);
    cookie(&response)
}

/// The values of all cookies that a response sets, by their names.
pub(crate) fn set_cookies(response: &Response) -> Vec<String> {
    let all = response.headers().get_all(header::SET_COOKIE).iter();
    all.map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

/// The session cookie of a response as the browser sends it back.
pub(crate) fn cookie(response: &Response) -> String {
    let all = set_cookies(response);
    let session = all.iter().find(|value| value.contains("session="));
    let session = session.unwrap_or_else(|| panic!("no session cookie in {all:?}"));
    session.split(';').next().unwrap().to_owned()
}

/// Whether this cookie opens the account page.
pub(crate) async fn opens(server: &Server, cookie: &str) -> bool {
    let request = server
        .client()
        .get(server.url("/account"))
        .header(header::COOKIE, cookie);
    request.send().await.unwrap().status() == 200
}

/// Where a response leads.
pub(crate) fn location(response: &Response) -> &str {
    response
        .headers()
        .get(header::LOCATION)
        .map_or("", |value| value.to_str().unwrap())
}
