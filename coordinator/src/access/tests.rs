//! Tokens and folders as an operator writes them.

use std::fs;

use babelquant_proto::credentials::Caller;

use super::*;

const WORKER: &str = "worker-0123456789abcdef";
const ADMIN: &str = "admin-0123456789abcdef";

fn at(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
}

fn read(text: &str) -> Result<Access, AccessError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    fs::write(&path, text).unwrap();
    Access::read(None, Some(&path))
}

#[test]
fn a_token_says_who_calls_until_its_time_is_over() {
    let text = format!("# ours\n\nworker {WORKER} until 2026-11-30\n admin {ADMIN}\n");
    let access = read(&text).unwrap();
    assert!(!access.is_open() && !access.is_encrypted());
    let check = |method: &str, token: &str, now: &str| {
        let value = format!("Bearer {token}");
        access.check(method, Some(value.as_bytes()), Certified::Nobody, at(now))
    };
    let (register, drain) = ("/babelquant.v1.Coordinator/Register", "/babelquant.v1.Admin/Other");
    let (before, after) = ("2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z");
    assert_eq!(check(register, WORKER, before), Ok(()));
    let expired = check(register, WORKER, after).unwrap_err();
    assert!(matches!(expired, Denial::ExpiredToken { caller: Caller::Worker, .. }), "{expired}");
    assert!(expired.to_string().ends_with("good until 2026-12-01T00:00:00Z"), "{expired}");
    assert_eq!(check(drain, ADMIN, after), Ok(()));
    assert!(matches!(
        check(register, ADMIN, before),
        Err(Denial::Role { caller: Caller::Admin, .. })
    ));
    assert!(matches!(
        check(drain, WORKER, before),
        Err(Denial::Role { caller: Caller::Worker, .. })
    ));
    assert_eq!(check(register, &WORKER.to_uppercase(), before), Err(Denial::UnknownToken));
    assert_eq!(check(register, "", before), Err(Denial::UnknownToken));
    let none = access.check(register, None, Certified::Nobody, at(before));
    assert_eq!(none, Err(Denial::NoCredentials));
    let both = access.check(
        register,
        Some(b"Bearer wrong-0123456789abcdef"),
        Certified::Caller(Caller::Worker, i64::MAX),
        at(before),
    );
    assert_eq!(both, Err(Denial::UnknownToken), "a wrong token is not made good by a certificate");
}

#[test]
fn a_certificate_counts_while_it_is_good() {
    let access = read(&format!("reader {ADMIN}")).unwrap();
    let now = at("2026-11-30T00:00:00Z");
    let check = |certified| access.check("/babelquant.v1.Coordinator/Sync", None, certified, now);
    let until = now.unix_timestamp();
    assert_eq!(check(Certified::Caller(Caller::Worker, until)), Ok(()));
    assert_eq!(
        check(Certified::Caller(Caller::Worker, until - 1)),
        Err(Denial::ExpiredCertificate)
    );
    assert_eq!(check(Certified::NoRole), Err(Denial::NoRole));
}

#[test]
fn mistakes_in_a_file_of_tokens_are_named_with_their_line() {
    for (text, line, reason) in [
        (format!("root {WORKER}"), 1, "role"),
        ("worker short".to_owned(), 1, "16"),
        (format!("\nworker {WORKER} until tomorrow"), 2, "date"),
        (format!("worker {WORKER} 2027-01-01"), 1, "words"),
        (format!("worker {WORKER}\nadmin {WORKER}"), 2, "earlier"),
    ] {
        let error = read(&text).unwrap_err();
        let AccessError::Line { line: found, .. } = error else { panic!("{error}") };
        assert_eq!(found, line, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains(WORKER), "a token is shown: {error}");
    }
    assert!(matches!(read("# nothing\n"), Err(AccessError::NoToken { .. })));
    let folder = tempfile::tempdir().unwrap();
    let missing = Access::read(Some(folder.path()), None).unwrap_err();
    assert!(missing.to_string().contains("coordinator-key.pem"), "{missing}");
}
