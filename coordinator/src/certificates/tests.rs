//! Certificates as rustls and the file system see them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use babelquant_proto::credentials::{Pair, authority as roots, provider};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};

use super::*;

/// Whether rustls believes that the folder's coordinator is `host` at a moment.
fn is_believed(folder: &Path, host: &str, at: OffsetDateTime) -> bool {
    let roots = Arc::new(roots(folder).unwrap());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build().unwrap();
    let chain = Pair::read(folder, Name::Coordinator).unwrap().chain;
    let name = ServerName::try_from(host).unwrap();
    let at = std::time::Duration::from_secs(at.unix_timestamp().try_into().unwrap());
    let at = UnixTime::since_unix_epoch(at);
    verifier.verify_server_cert(&chain[0], &[], &name, &[], at).is_ok()
}

#[test]
fn a_folder_is_filled_once_and_a_new_host_is_added() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/certs");
    let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let first = issue(&folder, &["Head.example".to_owned()], 30, now).unwrap();
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|issued| issued.is_new));
    let files = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        names
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files(&folder);
    assert_eq!(before.len(), 10);
    for path in before.keys() {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let is_key = path.to_string_lossy().ends_with("-key.pem");
        assert!(mode == 0o600 || (!is_key && mode & 0o133 == 0), "{path:?} has mode {mode:o}");
    }
    for host in ["head.example", "127.0.0.1", "::1", "localhost"] {
        assert!(is_believed(&folder, host, now), "{host}");
    }
    assert!(!is_believed(&folder, "10.0.0.5", now));
    assert!(!is_believed(&folder, "localhost", now + Duration::days(31)));
    assert!(!is_believed(&folder, "localhost", now - Duration::days(1)));

    assert!(issue(&folder, &[], 30, now).unwrap().iter().all(|issued| !issued.is_new));
    assert_eq!(files(&folder), before);

    let again = issue(&folder, &["10.0.0.5".to_owned()], 30, now).unwrap();
    let new: Vec<Name> = again.iter().filter(|issued| issued.is_new).map(|i| i.name).collect();
    assert_eq!(new, [Name::Coordinator]);
    assert!(is_believed(&folder, "10.0.0.5", now) && is_believed(&folder, "head.example", now));
    let changed: Vec<_> =
        files(&folder).into_iter().filter(|(path, bytes)| &before[path] != bytes).collect();
    assert_eq!(changed.len(), 1, "the keys are the old ones");

    fs::remove_file(Name::Caller(Caller::Worker).certificate(&folder)).unwrap();
    let renewed = issue(&folder, &[], 90, now).unwrap();
    let worker = &renewed[2];
    assert!(worker.is_new && worker.until == now + Duration::days(90), "{worker:?}");
}

#[test]
fn what_does_not_fit_together_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let (one, other) = (parent.path().join("one"), parent.path().join("other"));
    issue(&one, &[], 30, now).unwrap();
    issue(&other, &[], 30, now).unwrap();
    let key = Name::Authority.key(&one);
    fs::copy(Name::Authority.key(&other), &key).unwrap();
    assert!(matches!(issue(&one, &[], 30, now), Err(CertificateError::OtherKey { .. })));
    fs::remove_file(&key).unwrap();
    assert!(matches!(issue(&one, &[], 30, now), Err(CertificateError::NoKey { .. })));
    fs::write(&key, "no key").unwrap();
    assert!(matches!(issue(&one, &[], 30, now), Err(CertificateError::Damaged { .. })));
    let later = now + Duration::days(3651);
    assert!(matches!(issue(&other, &[], 30, later), Err(CertificateError::Expired { .. })));
    for host in ["http://head", "head:7070", "", "a b", "10.0.0.0/8"] {
        let refused = issue(&parent.path().join("no"), &[host.to_owned()], 30, now);
        assert!(matches!(refused, Err(CertificateError::Host { .. })), "{host}");
    }
    assert!(!parent.path().join("no").exists());
    fs::write(parent.path().join("file"), "").unwrap();
    assert!(matches!(
        issue(&parent.path().join("file"), &[], 30, now),
        Err(CertificateError::File { .. })
    ));
}
