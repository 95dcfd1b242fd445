//! Which clients get in, and what happens to the others.

use super::{client, setup, start};
use crate::{
    people::{ADA, add_user},
    support::{Server, Setup},
};
use reqwest::{Version, tls};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

/// curl with the authority that the server's folder holds; it speaks TLS by another library than ours.
fn curl(server: &Server, args: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--disable", "-sS", "--max-time", "30", "--noproxy", "*"])
        .args(["--cacert", "ca.pem"])
        .args(args)
        .current_dir(server.setup().path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_work_in_our_own_client() {
    let (server, authority) = start("").await;
    assert!(server.url("").starts_with("https://127.0.0.1:"));
    for version in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        let builder = || {
            client(&authority)
                .tls_version_min(version)
                .tls_version_max(version)
        };
        let both = builder().build().unwrap();
        let one = builder().http1_only().build().unwrap();
        for (client, http) in [(both, Version::HTTP_2), (one, Version::HTTP_11)] {
            let response = client.get(server.url("/readyz")).send().await.unwrap();
            assert_eq!(
                (response.status().as_u16(), response.version()),
                (200, http)
            );
        }
    }
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_work_in_curl() {
    let (server, _) = start("").await;
    let url = server.url("/readyz");
    for (tls, http, answered) in [
        ("1.2", "--http1.1", "1.1 200"),
        ("1.2", "--http2", "2 200"),
        ("1.3", "--http1.1", "1.1 200"),
        ("1.3", "--http2", "2 200"),
    ] {
        let lowest = format!("--tlsv{tls}");
        let args = [&*lowest, "--tls-max", tls, http, "-o", "/dev/null"];
        let format = ["-w", "%{http_version} %{http_code}", &url];
        let got = curl(&server, &[&args[..], &format].concat());
        assert_eq!(got, answered, "TLS {tls} {http}");
    }
}

/// RFC 8996: TLS 1.1 and older are not spoken.
#[tokio::test]
async fn rfc_8996_older_versions_are_refused() {
    let (server, _) = start("").await;
    let ask = |version: &str| {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", server.address(), version])
            .args(["-cipher", "ALL:@SECLEVEL=0"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let refused = ask("-tls1_1");
    assert!(
        refused.contains("SSL alert number") && refused.contains("Cipher is (NONE)"),
        "{refused}"
    );
    assert!(ask("-tls1_2").contains("Cipher is ECDHE"));
}

/// CK-8, OW-6: the listener's https is enough for a cookie that only https carries.
#[tokio::test]
async fn ck_8_a_login_over_https_gets_the_hosts_own_cookie() {
    let (server, _) = start("[argon2]\nmemory = \"7MiB\"\niterations = 1\n").await;
    add_user(&server, ADA, &[]);
    let login = server.url("/login");
    let origin = format!("Origin: {}", server.url(""));
    let (name, password) = (format!("username={}", ADA.0), format!("password={}", ADA.1));
    for http in ["--http1.1", "--http2"] {
        let form = ["--data-urlencode", &name, "--data-urlencode", &password];
        let args = [http, "-i", "-c", "jar", "-H", &origin, &login];
        let answer = curl(&server, &[&form[..], &args].concat()).to_lowercase();
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: __host-session="))
            .unwrap_or_else(|| panic!("{answer}"));
        for attribute in ["secure", "httponly", "path=/", "samesite=lax"] {
            assert!(cookie.split("; ").any(|a| a == attribute), "{cookie}");
        }
        let page = curl(&server, &[http, "-b", "jar", &server.url("/account")]);
        assert!(page.contains("Signed in as"), "{page}");
    }
}

/// OW-6, AV-3.4.1. `localhost` belongs to other programs too, and browsers would keep the header for a year.
#[tokio::test]
async fn hsts_is_sent_to_the_world_and_never_for_this_machine_alone() {
    let named = "[server]\npublic_url = \"https://login.example.com\"\n";
    let off = "[server]\npublic_url = \"https://login.example.com\"\nhsts = \"off\"\n";
    let short = "[server]\npublic_url = \"https://login.example.com\"\nhsts = \"5m\"\n";
    for (config, sent) in [
        ("", None),
        (named, Some("max-age=31536000")),
        (off, None),
        (short, Some("max-age=300")),
    ] {
        let (server, _) = start(config).await;
        let response = server.get("/login").await;
        let header = response.headers().get("strict-transport-security");
        assert_eq!(
            header.map(|value| value.to_str().unwrap()),
            sent,
            "{config}"
        );
    }
}

#[tokio::test]
async fn plain_http_on_the_port_for_https_is_told_so() {
    let (server, _) = start("").await;
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX: {}\r\n\r\nusername=",
        "x".repeat(9000)
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("speaks https"), "{answer}");
    assert_eq!(server.get("/livez").await.status(), 200);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_closed_and_holds_up_nobody() {
    let (server, _) = start("[server]\nhead_timeout = \"3s\"\n").await;
    // Nothing; the start of a record; a record that promises more than comes; no TLS at all.
    let starts: [&[u8]; 4] = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00\x01"];
    let mut slow: Vec<TcpStream> = Vec::new();
    for start in starts {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(start).unwrap();
        slow.push(stream);
    }
    assert_eq!(server.get("/livez").await.status(), 200);
    for mut stream in slow {
        stream
            .set_read_timeout(Some(crate::support::PATIENCE))
            .unwrap();
        let mut rest = Vec::new();
        // Closed, with or without an alert before; a reset is an end too.
        match stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.len() < 16, "{rest:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    // Counted a moment after the connection was closed.
    let counted = "cloakroom_tls_handshakes_failed_total 4";
    let asked = std::time::Instant::now();
    while !server
        .get("/metrics")
        .await
        .text()
        .await
        .unwrap()
        .contains(counted)
    {
        assert!(
            asked.elapsed() < crate::support::PATIENCE,
            "not all four are counted"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// DESIGN section 9: a listener that is neither https nor loopback refuses to start; one that is https starts.
#[tokio::test]
async fn an_open_address_is_served_by_https_alone() {
    let authority = super::Authority::new();
    let open = ["--listen", "0.0.0.0:0"];
    let plain = Setup::new().arg(open[0]).arg(open[1]);
    assert!(
        plain
            .fail_to_serve()
            .1
            .contains("neither https nor loopback")
    );
    let server = setup(&authority, "")
        .arg(open[0])
        .arg(open[1])
        .start()
        .await;
    let said = server.stdout();
    assert!(said.contains("open           https://localhost:"), "{said}");
}
