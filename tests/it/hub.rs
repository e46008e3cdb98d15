//! Models by name: downloads from a stand-in for the hub, whole and broken.

use std::fs;
use std::thread;

use babelquant_proto::hub::{HubError, Step};
use sha2::{Digest, Sha256};

use crate::hub_fixture::{
    Fixture, LENGTH, REPOSITORY, WEIGHTS, bytes, check_snapshot, content, fetch, files, hub,
};
use crate::hub_http::Fault;

fn message(error: &HubError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
#[test]
fn a_model_comes_whole_once_and_nothing_else_does() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    let mut steps = Vec::new();
    let mut note = |step: Step<'_>| {
        let Step::File { name, done, total } = step else { panic!("nobody else downloads") };
        steps.push((name.to_owned(), done, total));
    };
    let snapshot = hub.fetch(REPOSITORY, "main", &mut note).unwrap();
    check_snapshot(&snapshot, &fixture.commit, 1);
    assert!(snapshot.warning.is_none());
    assert_eq!(
        fixture
            .content_requests()
            .iter()
            .filter(|request| request.path.starts_with("/lfs"))
            .count(),
        1
    );
    let weights: Vec<u64> =
        steps.iter().filter(|(name, ..)| name == WEIGHTS).map(|(_, done, _)| *done).collect();
    assert!(
        weights.len() > 5 && weights.is_sorted() && weights.last() == Some(&(LENGTH as u64)),
        "{weights:?}"
    );
    assert!(steps.iter().all(|(_, done, total)| done <= total));

    check_snapshot(&fetch(&hub, "main").unwrap(), &fixture.commit, 1);
    let again = fixture.server.requests();
    assert_eq!(again.len(), 1, "one look at where the branch is: {again:?}");
    check_snapshot(&fetch(&hub, &fixture.commit).unwrap(), &fixture.commit, 1);
    check_snapshot(&hub.cached(REPOSITORY, "main").unwrap(), &fixture.commit, 1);
    assert_eq!(fixture.server.requests(), [], "a commit does not move");
}

#[test]
fn a_transfer_that_broke_off_is_resumed_where_it_broke() {
    let fixture = Fixture::new();
    fixture.server.fault(WEIGHTS, Fault::Cut(1_000_000));
    let error = fetch(&fixture.hub(), "main").unwrap_err();
    assert!(
        matches!(error, HubError::Interrupted { done: 1_000_000, total: 3_000_000, .. }),
        "{error}"
    );
    assert!(message(&error).contains("run again"), "{error}");
    assert!(fixture.hub().cached(REPOSITORY, "main").is_none());
    assert!(fixture.hub().cached(REPOSITORY, &fixture.commit).is_none());

    fixture.server.mend();
    fixture.server.requests();
    check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
    let ranges: Vec<_> = fixture.content_requests().iter().map(|request| request.range).collect();
    assert_eq!(ranges, [Some(1_000_000)]);
}

#[test]
fn a_connection_that_breaks_once_is_taken_up_at_once() {
    let fixture = Fixture::new();
    fixture.server.fault(WEIGHTS, Fault::CutOnce(1_000_000));
    fixture.server.fault(WEIGHTS, Fault::CutOnce(2_000_000));
    fixture.server.fault("tokenizer.json", Fault::CutOnce(10));
    check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
    let ranges: Vec<_> =
        fixture.content_requests().iter().filter_map(|request| request.range).collect();
    assert_eq!(ranges, [10, 1_000_000, 2_000_000]);
}

#[test]
fn a_hub_that_serves_no_ranges_is_read_from_the_start() {
    let fixture = Fixture::new();
    fixture.server.fault(WEIGHTS, Fault::CutOnce(1_000_000));
    fixture.server.fault(WEIGHTS, Fault::WholeOnly);
    check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
}

#[test]
fn what_differs_from_its_announcement_is_never_kept() {
    for (name, fault, expected) in [
        (WEIGHTS, Fault::Garbled, "the digest"),
        ("tokenizer.json", Fault::Garbled, "the digest"),
        (WEIGHTS, Fault::Longer, "3000001 bytes where 3000000 were announced"),
        (WEIGHTS, Fault::Shorter, "2999999 bytes where 3000000 were announced"),
        (WEIGHTS, Fault::HostileEtag, "../../../escape"),
        (WEIGHTS, Fault::Circle, "in a circle"),
        ("config.json", Fault::Circle, "in a circle"),
        ("revision/main", Fault::Circle, "in a circle"),
        ("revision/main", Fault::Garbled, "with no repository"),
        ("revision/main", Fault::Cut(20), "cannot reach"),
        ("config.json", Fault::Cut(0), "broke off after 0 of 23 bytes"),
        (WEIGHTS, Fault::Status("416 Range Not Satisfiable"), "416"),
        (WEIGHTS, Fault::Status("500 Internal Server Error"), "500"),
    ] {
        let fixture = Fixture::new();
        fixture.server.fault(name, fault);
        let error = fetch(&fixture.hub(), "main").unwrap_err();
        assert!(message(&error).contains(expected), "{fault:?}: {error}");
        assert!(fixture.hub().cached(REPOSITORY, "main").is_none(), "{fault:?}");
        fixture.server.mend();
        check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
    }
}

#[test]
fn parts_of_any_length_are_healed() {
    for length in [0, 1, LENGTH - 1, LENGTH, LENGTH + 1] {
        let fixture = Fixture::new();
        let blobs = fixture.cache.path().join("models--owner--model/blobs");
        fs::create_dir_all(&blobs).unwrap();
        let etag = format!("{:x}", Sha256::digest(bytes(LENGTH, 1)));
        let mut part = bytes(LENGTH, 1);
        part.resize(length, 0);
        fs::write(blobs.join(format!("{etag}.incomplete")), part).unwrap();
        check_snapshot(&fetch(&fixture.hub(), "main").unwrap(), &fixture.commit, 1);
    }
}

#[test]
fn offline_the_cache_answers_or_nobody() {
    let fixture = Fixture::new();
    let offline = fixture.hub_with(&[("HF_HUB_OFFLINE", "1")]);
    let error = fetch(&offline, "main").unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error}");
    assert!(message(&error).contains("HF_HUB_OFFLINE"), "{error}");
    assert_eq!(fixture.server.requests(), []);

    fetch(&fixture.hub(), "main").unwrap();
    fixture.server.requests();
    check_snapshot(&fetch(&offline, "main").unwrap(), &fixture.commit, 1);
    check_snapshot(&fetch(&offline, &fixture.commit).unwrap(), &fixture.commit, 1);
    assert!(fetch(&offline, "refs/pr/1").is_err());
    assert_eq!(fixture.server.requests(), []);
}

#[test]
fn a_hub_that_does_not_answer_leaves_the_cache_with_a_warning() {
    let fixture = Fixture::new();
    fetch(&fixture.hub(), "main").unwrap();
    // A port where nobody listens: its listener is gone.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let nowhere = hub(&format!("http://127.0.0.1:{port}"), fixture.cache.path(), &[]);
    let snapshot = fetch(&nowhere, "main").unwrap();
    assert!(matches!(snapshot.warning, Some(HubError::Unreachable { .. })));
    check_snapshot(&snapshot, &fixture.commit, 1);
    let error = nowhere.fetch("owner/other", "main", &mut |_| ()).unwrap_err();
    assert!(
        message(&error).contains("local directory") && message(&error).contains("refused"),
        "{}",
        message(&error)
    );

    fixture.server.fault("revision/main", Fault::Status("503 Service Unavailable"));
    let snapshot = fetch(&fixture.hub(), "main").unwrap();
    assert!(matches!(snapshot.warning, Some(HubError::Status { status: 503, .. })));
    fixture.server.mend();
    fixture.server.fault("revision/main", Fault::Silent);
    let snapshot = fetch(&fixture.hub_with(&[("HF_HUB_DOWNLOAD_TIMEOUT", "1")]), "main").unwrap();
    assert!(matches!(snapshot.warning, Some(HubError::Unreachable { .. })));
}

#[test]
fn a_branch_moves_a_commit_stays_and_a_pull_request_has_a_name() {
    let fixture = Fixture::new();
    let hub = fixture.hub();
    fetch(&hub, "main").unwrap();
    let second = fixture.server.publish(REPOSITORY, "main", &files(2));
    let third = fixture.server.publish(REPOSITORY, "refs/pr/7", &files(3));
    check_snapshot(&hub.cached(REPOSITORY, "main").unwrap(), &fixture.commit, 1);
    check_snapshot(&fetch(&hub, "main").unwrap(), &second, 2);
    check_snapshot(&hub.cached(REPOSITORY, "main").unwrap(), &second, 2);
    check_snapshot(&fetch(&hub, &fixture.commit).unwrap(), &fixture.commit, 1);
    check_snapshot(&fetch(&hub, "refs/pr/7").unwrap(), &third, 3);
    check_snapshot(&hub.cached(REPOSITORY, "refs/pr/7").unwrap(), &third, 3);
}

#[test]
fn a_refusal_says_what_to_do_next() {
    let fixture = Fixture::new();
    let check = |repository: &str, revision: &str, more: &[(&str, &str)], expected: &str| {
        let error = fixture.hub_with(more).fetch(repository, revision, &mut |_| ()).unwrap_err();
        assert!(message(&error).contains(expected), "{}", message(&error));
    };
    check("owner/absent", "main", &[], "check the spelling");
    check(REPOSITORY, "absent", &[], "no revision \"absent\"");
    check(REPOSITORY, &"0".repeat(40), &[], "no revision");
    check("../owner", "main", &[], "is no repository");
    check(REPOSITORY, "../../x", &[], "is no revision");
    fixture.server.gate(REPOSITORY, "hf_right");
    check(REPOSITORY, "main", &[], "accept its licence at http://127.0.0.1:");
    check(
        REPOSITORY,
        "main",
        &[("HF_TOKEN", "hf_wrong")],
        "accept its licence at http://127.0.0.1:",
    );
    fixture.server.publish("owner/empty", "main", &[("README.md", Vec::new())]);
    check("owner/empty", "main", &[], "holds no config.json");
    let flax = [
        ("config.json", Vec::new()),
        ("spiece.model", bytes(9, 1)),
        ("flax_model.msgpack", Vec::new()),
    ];
    fixture.server.publish("owner/flax", "main", &flax);
    check(
        "owner/flax",
        "main",
        &[],
        "model.safetensors or model.safetensors.index.json or pytorch_model.bin or",
    );

    let hub = fixture.hub_with(&[("HF_TOKEN", "hf_right")]);
    check_snapshot(&fetch(&hub, "main").unwrap(), &fixture.commit, 1);
    let strangers = fixture.server.requests();
    let mut strangers = strangers.iter().filter(|request| request.path.starts_with("/lfs"));
    assert!(strangers.all(|request| request.authorization.is_none()), "another host saw the token");
}

#[test]
fn shards_come_with_their_index_and_from_nowhere_else() {
    let fixture = Fixture::new();
    let publish = |shards: [&str; 2]| {
        let index =
            serde_json::json!({ "weight_map": { "a": shards[0], "b": shards[1], "c": shards[0] } });
        let files = [
            ("config.json", b"{}".to_vec()),
            ("sentencepiece.bpe.model", bytes(50, 1)),
            ("pytorch_model.bin.index.json", index.to_string().into_bytes()),
            ("pytorch_model-00001-of-00002.bin", bytes(60, 1)),
            ("pytorch_model-00002-of-00002.bin", bytes(70, 1)),
            ("flax_model-00001-of-00001.msgpack", bytes(80, 1)),
        ];
        fixture.server.publish("owner/sharded", "main", &files);
    };
    publish(["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]);
    let snapshot = fixture.hub().fetch("owner/sharded", "main", &mut |_| ()).unwrap();
    let names: Vec<String> = content(&snapshot.directory).into_keys().collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(fixture.hub().cached("owner/sharded", "main").is_some());
    fs::remove_file(snapshot.directory.join("pytorch_model-00002-of-00002.bin")).unwrap();
    assert!(fixture.hub().cached("owner/sharded", "main").is_none());

    for (shard, expected) in [
        ("../../../../escape", "plain name"),
        ("/etc/passwd", "plain name"),
        ("sub/pytorch_model.bin", "plain name"),
        ("pytorch_model-00003-of-00002.bin", "holds no pytorch_model-00003-of-00002.bin"),
    ] {
        publish(["pytorch_model-00001-of-00002.bin", shard]);
        let error = fixture.hub().fetch("owner/sharded", "main", &mut |_| ()).unwrap_err();
        assert!(message(&error).contains(expected), "{}", message(&error));
    }
}

#[test]
fn many_fetches_at_once_download_each_file_once() {
    let fixture = Fixture::new();
    fixture.server.fault(WEIGHTS, Fault::CutOnce(1_000_000));
    thread::scope(|scope| {
        let fetches: Vec<_> =
            (0..4).map(|_| scope.spawn(|| fetch(&fixture.hub(), "main").unwrap())).collect();
        for snapshot in fetches {
            check_snapshot(&snapshot.join().unwrap(), &fixture.commit, 1);
        }
    });
    let requests = fixture.content_requests();
    assert_eq!(requests.iter().filter(|request| request.path.starts_with("/lfs")).count(), 2);
}
