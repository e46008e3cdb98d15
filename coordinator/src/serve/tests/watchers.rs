//! Who may see the pages, over real TLS and without: browsers, monitors, probes, strangers.

use babelquant_proto::credentials::{Caller, Name, Pair, authority, provider};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, pki_types::ServerName};

use super::callers::Keys;
use super::http::{exchange, status};
use super::*;

/// A request for a path, with more headers.
fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n")
}

/// The header in which a monitor shows a token.
fn bearer(caller: Caller) -> String {
    format!("Authorization: Bearer {}\r\n", Keys::token(caller))
}

/// The header in which a browser does.
fn basic(caller: Caller) -> String {
    let pair = BASE64_STANDARD.encode(format!("me:{}", Keys::token(caller)));
    format!("Authorization: Basic {pair}\r\n")
}

#[tokio::test]
async fn a_token_opens_the_pages_and_probes_need_none() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let path = keys.folder.path();
    let access = Access::read(None, Some(&path.join("tokens"))).unwrap();
    let running = start_for(access, local(folder.path()), spec(1), UNHURRIED).await;
    let credentials = Credentials::read(None, Some(&path.join("reader-token")), &[]).unwrap();
    seen_by(credentials, &running.address, |overview| overview.epoch == 1).await;
    let answer = async |path: &str, headers: &str| {
        let stream = TcpStream::connect(running.http).await.unwrap();
        exchange(stream, &request(path, headers)).await
    };
    for path in ["/", "/events", "/metrics", "/nowhere"] {
        let (head, body) = answer(path, "").await;
        assert_eq!(status(&head), 401, "{path}");
        assert!(head.to_lowercase().contains("www-authenticate: basic realm="), "{head}");
        assert!(!body.contains("test"), "the study's name is nobody's business: {body}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&answer(path, "").await.0), 200, "{path}");
    }
    for caller in Caller::ALL {
        for header in [bearer(caller), basic(caller)] {
            assert_eq!(status(&answer("/metrics", &header).await.0), 200, "{caller}");
        }
    }
    for wrong in ["Bearer of-nobody-at-all-0", "Basic !", "Basic bWU6", "Digest x", ""] {
        let (head, _) = answer("/", &format!("Authorization: {wrong}\r\n")).await;
        assert_eq!(status(&head), 401, "{wrong}");
    }
}

#[tokio::test]
async fn a_certificate_opens_the_pages_and_probes_need_none() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let path = keys.folder.path();
    let access = Access::read(Some(path), None).unwrap();
    let running = start_for(access, local(folder.path()), spec(1), UNHURRIED).await;
    let credentials = keys.certificate(Caller::Reader);
    seen_by(credentials, &running.address, |overview| overview.epoch == 1).await;
    let connect = async |shown: Option<Caller>| {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(authority(path).unwrap());
        let config = match shown {
            None => config.with_no_client_auth(),
            Some(caller) => {
                let Pair { chain, key } = Pair::read(path, Name::Caller(caller)).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TcpStream::connect(running.http).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    };
    for (shown, path, expected) in [
        (Some(Caller::Reader), "/", 200),
        (Some(Caller::Admin), "/metrics", 200),
        (None, "/", 401),
        (None, "/metrics", 401),
        (None, "/readyz", 200),
    ] {
        let (head, _) = exchange(connect(shown).await, &request(path, "")).await;
        assert_eq!(status(&head), expected, "{shown:?} {path}");
        // Nothing that a user could type in would help.
        assert!(!head.to_lowercase().contains("www-authenticate"), "{head}");
    }
    let plain = TcpStream::connect(running.http).await.unwrap();
    assert_eq!(send_in_the_clear(plain).await, "", "nobody is answered in the clear");
}

/// Sends a request without TLS and reads what comes until the connection ends, as text; an alert of TLS is none.
async fn send_in_the_clear(mut stream: TcpStream) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(request("/", "").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The other side may reset the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).split("HTTP/").skip(1).collect()
}

#[test]
fn pages_ask_where_others_can_reach_them() {
    let keys = Keys::new();
    let access = Access::read(None, Some(&keys.folder.path().join("tokens"))).unwrap();
    let (near, far) = ("127.0.0.1:8080".parse().unwrap(), "10.0.0.5:8080".parse().unwrap());
    let of = |address, access: &Access, trust| {
        watchers(address, access, trust).map(|access| access.is_open()).ok()
    };
    let everyone = Access::everyone();
    assert_eq!(of(near, &access, NetworkTrust::Untrusted), Some(true), "a tunnel leads there");
    assert_eq!(of(near, &everyone, NetworkTrust::Untrusted), Some(true));
    assert_eq!(of(far, &access, NetworkTrust::Untrusted), Some(false));
    assert_eq!(of(far, &everyone, NetworkTrust::Trusted), Some(true));
    assert_eq!(of(far, &everyone, NetworkTrust::Untrusted), None);
}
