//! Who may call what, over real TLS: every role, with certificates and with tokens.

use babelquant_proto::credentials::{Bearer, Caller, Credentials, Link};
use time::OffsetDateTime;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::InterceptedService;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

use super::*;
use crate::certificates::issue;

/// An admin method that no file of this crate knows.
const UNKNOWN: &str = "/babelquant.v1.Admin/SomethingNew";

/// Certificates in a folder, and a file with a token for each role.
pub(super) struct Keys {
    pub(super) folder: tempfile::TempDir,
}

impl Keys {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path(), &[], 30, OffsetDateTime::now_utc()).unwrap();
        let line = |caller| format!("{caller} {}\n", Self::token(caller));
        let tokens: String = Caller::ALL.map(line).concat();
        std::fs::write(folder.path().join("tokens"), tokens).unwrap();
        for caller in Caller::ALL {
            let path = folder.path().join(format!("{caller}-token"));
            std::fs::write(path, Self::token(caller)).unwrap();
        }
        Self { folder }
    }

    pub(super) fn token(caller: Caller) -> String {
        format!("token-of-the-{caller}")
    }

    pub(super) fn certificate(&self, caller: Caller) -> Credentials {
        Credentials::read(Some(self.folder.path()), None, &[caller]).unwrap()
    }

    fn in_word(&self, caller: Caller) -> Credentials {
        let file = self.folder.path().join(format!("{caller}-token"));
        Credentials::read(Some(self.folder.path()), Some(&file), &[]).unwrap()
    }

    /// As a worker that shows its certificate.
    pub(super) fn worker(&self, address: &str) -> Way {
        link(address, self.certificate(Caller::Worker)).channel()
    }
}

/// What calls go through.
pub(super) type Way = InterceptedService<Channel, Bearer>;

fn link(address: &str, credentials: Credentials) -> Link {
    Link::new(Endpoint::from_shared(address.to_owned()).unwrap(), credentials).unwrap()
}

/// The answers to Register, Status and an unknown admin method.
async fn answers(channel: Way) -> [Code; 3] {
    let hello = Hello {
        wire_major: WIRE_MAJOR,
        name: "a".to_owned(),
        engine_class: "cpu-test".parse().unwrap(),
        memory_bytes: None,
    };
    let mut coordinator = CoordinatorClient::new(channel.clone());
    let registered = coordinator.register(wire::Hello::from(hello)).await.map(drop);
    let status = AdminClient::new(channel.clone()).status(wire::StatusRequest {}).await.map(drop);
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let request = Request::new(wire::StatusRequest {});
    let codec: ProstCodec<wire::StatusRequest, wire::StatusReply> = ProstCodec::default();
    let unknown = grpc.unary(request, UNKNOWN.parse().unwrap(), codec).await.map(drop);
    [registered, status, unknown].map(|answer| answer.err().map_or(Code::Ok, |error| error.code()))
}

/// Holds the answers of each role to what it may do.
async fn check_roles(address: &str, shown: impl Fn(Caller) -> Credentials) {
    let (no, ok, absent) = (Code::PermissionDenied, Code::Ok, Code::Unimplemented);
    for (caller, expected) in [
        (Caller::Worker, [ok, ok, no]),
        (Caller::Reader, [no, ok, no]),
        (Caller::Admin, [no, ok, absent]),
    ] {
        assert_eq!(answers(link(address, shown(caller)).channel()).await, expected, "{caller}");
    }
}

#[tokio::test]
async fn certificates_and_tokens_say_who_may_do_what() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let path = keys.folder.path();
    let access = Access::read(Some(path), Some(&path.join("tokens"))).unwrap();
    let running = start_for(access, local(folder.path()), spec(1), QUICK).await;
    check_roles(&running.address, |caller| keys.certificate(caller)).await;
    check_roles(&running.address, |caller| keys.in_word(caller)).await;
    let wrong = path.join("wrong");
    std::fs::write(&wrong, "token-of-nobody-at-all").unwrap();
    let wrong = Credentials::read(Some(path), Some(&wrong), &[Caller::Worker]).unwrap();
    let answers = answers(link(&running.address, wrong).channel()).await;
    assert_eq!(answers, [Code::Unauthenticated; 3]);
    running.outcome.abort();
}

#[tokio::test]
async fn a_folder_without_the_authority_encrypts_and_tokens_say_who() {
    let (keys, folder) = (Keys::new(), tempfile::tempdir().unwrap());
    let server = tempfile::tempdir().unwrap();
    for name in ["coordinator.pem", "coordinator-key.pem", "tokens"] {
        std::fs::copy(keys.folder.path().join(name), server.path().join(name)).unwrap();
    }
    assert!(Access::read(Some(server.path()), None).is_err(), "nobody could be known");
    let access = Access::read(Some(server.path()), Some(&server.path().join("tokens"))).unwrap();
    let running = start_for(access, local(folder.path()), spec(1), QUICK).await;
    check_roles(&running.address, |caller| keys.in_word(caller)).await;
    let shown = link(&running.address, keys.certificate(Caller::Worker)).channel();
    assert_eq!(answers(shown).await, [Code::Unauthenticated; 3], "certificates are not asked for");
    running.outcome.abort();
}

#[tokio::test]
async fn addresses_and_credentials_must_fit() {
    let keys = Keys::new();
    let new = |address: &str, credentials| {
        Link::new(Endpoint::from_shared(address.to_owned()).unwrap(), credentials).map(drop)
    };
    let says = |result: Result<(), _>, text: &str| {
        let error: babelquant_proto::credentials::CredentialsError = result.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    };
    says(new("https://127.0.0.1:1", Credentials::default()), "pass --tls DIR");
    says(new("http://127.0.0.1:1", keys.certificate(Caller::Reader)), "write https://");
    says(new("127.0.0.1:1", Credentials::default()), "is no coordinator address");
    let empty = tempfile::tempdir().unwrap();
    let read = |callers: &[Caller]| Credentials::read(Some(empty.path()), None, callers).map(drop);
    says(read(&[Caller::Worker]), "ca.pem");
    std::fs::copy(keys.folder.path().join("ca.pem"), empty.path().join("ca.pem")).unwrap();
    says(read(&[Caller::Worker]), "worker.pem");
    std::fs::write(empty.path().join("worker.pem"), "nothing").unwrap();
    says(read(&[Caller::Worker]), "worker-key.pem");
}

#[test]
fn only_trusted_networks_are_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "worker 0123456789abcdef").unwrap();
    let (everyone, known) = (Access::everyone(), Access::read(None, Some(&tokens)).unwrap());
    let check = |address: &str, access: &Access, trust| {
        check_exposure(address.parse().unwrap(), access, trust).is_ok()
    };
    assert!(check("127.0.0.1:7070", &everyone, NetworkTrust::Untrusted));
    assert!(check("[::1]:7070", &everyone, NetworkTrust::Untrusted));
    assert!(!check("0.0.0.0:7070", &everyone, NetworkTrust::Untrusted));
    assert!(check("0.0.0.0:7070", &everyone, NetworkTrust::Trusted));
    assert!(check("0.0.0.0:7070", &known, NetworkTrust::Untrusted));
}
