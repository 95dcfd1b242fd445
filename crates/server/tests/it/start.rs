//! The server starts, says where, and answers for itself.

use super::support::{Server, Setup, poll};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[tokio::test]
async fn it_says_where_it_is_and_where_everything_is_kept() {
    let server = Server::start().await;
    let said = poll("the whole start message", || {
        Some(server.stdout()).filter(|s| s.contains("users and keys"))
    });
    assert!(
        said.contains(&format!("listening on   http://{}\n", server.address())),
        "{said}"
    );
    assert!(
        said.contains(&format!("http://{}/login", server.address())),
        "{said}"
    );
    assert!(said.contains("embedded:cloakroom-data/store"), "{said}");
}

#[tokio::test]
async fn the_data_directory_is_private() {
    let server = Server::start().await;
    let data_dir = server.setup().data_dir();
    let mode = |name: &str| std::fs::metadata(data_dir.join(name)).unwrap().mode() & 0o777;
    assert_eq!(["", "store", "keys", "audit"].map(mode), [0o700; 4]);
    assert_eq!(mode("control.sock"), 0o600);
    assert!(
        std::fs::metadata(data_dir.join("control.sock"))
            .unwrap()
            .file_type()
            .is_socket()
    );
}

#[tokio::test]
async fn it_lives_and_is_ready_and_describes_itself() {
    let server = Server::start().await;
    assert_eq!(server.get("/livez").await.status(), 200);
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    assert_eq!(
        ready.json::<serde_json::Value>().await.unwrap()["ready"],
        true
    );
    let document: serde_json::Value = server.get("/openapi.json").await.json().await.unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let server = Server::start().await;
    server.get("/no/such/secret-path").await;
    let metrics = server.get("/metrics").await;
    assert!(
        metrics.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = metrics.text().await.unwrap();
    assert!(
        text.contains(r#"cloakroom_http_requests_total{method="GET",route="none",status="404"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(
            r#"cloakroom_http_request_duration_seconds_bucket{method="GET",route="/livez""#
        ),
        "{text}"
    );
    assert!(!text.contains("secret-path"));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let server = Server::start().await;
    for (request, status, slug) in [
        (
            server.client().get(server.url("/nowhere")),
            404,
            "not-found",
        ),
        (
            server.client().delete(server.url("/livez")),
            405,
            "method-not-allowed",
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers().contains_key("allow"), status == 405);
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["type"], format!("urn:cloakroom:problem:{slug}"));
        assert_eq!(problem["status"], status);
    }
}

// AV-3.4.1, AV-3.4.4, AV-3.4.6
#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let plain = Server::start().await;
    let https = Setup::new()
        .arg("--public-url")
        .arg("https://login.example.com")
        .start()
        .await;
    for (server, has_hsts) in [(&plain, false), (&https, true)] {
        for path in ["/livez", "/nowhere"] {
            let response = server.get(path).await;
            let headers = response.headers();
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert!(
                headers["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .contains("frame-ancestors 'none'")
            );
            assert_eq!(headers.contains_key("strict-transport-security"), has_hsts);
            assert_eq!(headers["x-request-id"].len(), 32);
        }
    }
}

#[tokio::test]
async fn a_unix_socket_serves_as_well_and_a_stale_one_is_replaced() {
    let mut server = Setup::new()
        .arg("--listen")
        .arg("unix:public.sock")
        .start()
        .await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    let socket = server.setup().path().join("public.sock");
    server.kill9();
    assert!(socket.exists());
    let mut server = server.restart().await;
    assert_eq!(server.get("/readyz").await.status(), 200);
    assert!(server.terminate().success());
    assert!(!socket.exists());
}

#[tokio::test]
async fn json_logs_are_one_document_a_line() {
    let mut server = Setup::new()
        .arg("--log")
        .arg("json")
        .env("CLOAKROOM_LOG__LEVEL", "debug")
        .start()
        .await;
    server.get("/livez").await;
    server.terminate();
    let log = server.stderr();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(lines.iter().any(|l| l["message"] == "ready"), "{log}");
    let answered = lines
        .iter()
        .find(|l| l["target"] == "access")
        .expect("a line for the request");
    assert_eq!(
        (&answered["status"], &answered["span"]["route"]),
        (&200.into(), &"/livez".into())
    );
    let ready = lines.iter().find(|l| l["message"] == "ready").unwrap();
    assert!(ready.get("span").is_none(), "it belongs to no request");
}

/// What an answer's `X-Request-Id` is for.
#[tokio::test]
async fn a_line_of_a_request_names_it() {
    let setup = Setup::new().env("CLOAKROOM_LOG__LEVEL", "debug");
    let server = setup.start().await;
    let response = server.get("/livez").await;
    let id = response.headers()["x-request-id"].to_str().unwrap();
    let line = format!(
        "DEBUG request{{id=\"{id}\" method=\"GET\" route=\"/livez\" via=\"network\"}}: access: answered status=200"
    );
    poll("the line", || server.stderr().contains(&line).then_some(()));
    let other = server.stderr();
    let other = other.lines().find(|line| line.contains("ready")).unwrap();
    assert!(!other.contains("request{"), "{other}");
}

#[tokio::test]
async fn as_many_threads_as_asked_for() {
    let threads = async |workers: &str| {
        let setup = Setup::new().arg("--ephemeral");
        let server = setup
            .env("CLOAKROOM_SERVER__WORKERS", workers)
            .start()
            .await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Threads:"));
        line.unwrap().trim().parse::<usize>().unwrap()
    };
    // One more may still be there that hashed the first password.
    assert!(threads("1").await <= 2);
    assert!(threads("8").await >= 9);
}
