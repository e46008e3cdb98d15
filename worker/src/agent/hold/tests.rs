//! The worker's memory, rule by rule, with replies that a coordinator could send. Not the network.

use babelquant_proto::message::{Grant, RunState, Session, Verdict};
use babelquant_proto::quant::QuantConfig;
use babelquant_proto::{
    Batch, Components, Digest, Document, Dtype, LanguageCorpus, Layers, Metrics, Model, ModelPart,
    Protocol, Scope, Shape, Shard, Windows,
};
use bytes::Bytes;

use super::*;

/// One model with six layers, and two cells on one shard of one document: the last three units have it.
fn spec() -> Spec {
    let scope = Scope { layers: Layers::All, components: Components::mlp() };
    let shape = Shape { encoder_layers: 0, layers: 6, hidden: 8, vocabulary: 16, positions: None };
    let model = Model {
        name: "m".to_owned(),
        shape,
        protocol: Protocol::Causal { prefix: None, newline: None },
        published: None,
        files: BTreeMap::new(),
    };
    let configs = [QuantConfig::None, "int4-channel".parse().unwrap()];
    let cells = configs.into_iter().map(|config| (scope.clone(), config)).collect();
    let digest = ShardText::digest_of(&text("x").documents);
    let shards = vec![Shard { first_document: 0, documents: 1, bytes: 1, digest }];
    Spec {
        version: Spec::VERSION,
        models: vec![ModelPart { model, cells, checkpoints: Vec::new() }],
        corpus: vec![LanguageCorpus { language: "eng".parse().unwrap(), shards }],
        windows: Windows { tokens: 16, stride: 8 },
        batch: Batch::default(),
        dtype: Dtype::F32,
        metrics: Metrics { kl: true },
        seed: 1,
        calibration: Vec::new(),
    }
}

fn text(words: &str) -> ShardText {
    let (id, group) = ("1".to_owned(), String::new());
    let document = Document { index: 0, id, group, text: words.to_owned() };
    ShardText { id: ShardId { language: 0, shard: 0 }, documents: vec![document] }
}

/// The first units of the spec that have no shard.
const WEIGHTS: [u64; 3] = [0, 1, 2];

fn quiet() -> SyncReply {
    SyncReply {
        grants: Vec::new(),
        verdicts: Vec::new(),
        revoked: Vec::new(),
        state: RunState::Running,
        next_sync_ms: 100,
        leave: false,
    }
}

fn grants(units: impl IntoIterator<Item = u64>) -> SyncReply {
    let grant = |unit| Grant { unit: UnitIndex(unit), text: None };
    SyncReply { grants: units.into_iter().map(grant).collect(), ..quiet() }
}

/// What the agent says of what it holds.
fn request(hold: &Hold) -> SyncRequest {
    SyncRequest {
        holding: hold.units(),
        results: hold.results(),
        failures: hold.failures(),
        released: hold.released(),
        ..SyncRequest::new(Session(1), hold.want())
    }
}

/// One Sync whose reply arrives.
fn sync(hold: &mut Hold, reply: &SyncReply) -> SyncRequest {
    let request = request(hold);
    let told = hold.told(&request);
    hold.apply(told, reply, &spec()).unwrap();
    request
}

fn result(unit: u64, bytes: usize) -> UnitResult {
    let ipc = Bytes::from(vec![0; bytes]);
    UnitResult { unit: UnitIndex(unit), blake3: Digest::of(&ipc), ipc }
}

fn verdict(unit: u64, kind: VerdictKind) -> SyncReply {
    let verdict = Verdict { unit: UnitIndex(unit), kind, reason: String::new() };
    SyncReply { verdicts: vec![verdict], ..quiet() }
}

fn numbers(units: &[UnitIndex]) -> Vec<u64> {
    units.iter().map(|unit| unit.0).collect()
}

#[test]
fn a_result_is_kept_until_its_verdict_however_many_replies_are_lost() {
    let mut hold = Hold::new(4);
    sync(&mut hold, &grants(WEIGHTS));
    hold.next_job(&spec()).unwrap();
    hold.finish(result(0, 10));
    for _ in 0..3 {
        assert_eq!(request(&hold).results, [result(0, 10)], "the reply to it was lost");
    }
    sync(&mut hold, &quiet());
    assert_eq!(request(&hold).results.len(), 1, "no verdict");
    for kind in [VerdictKind::Durable, VerdictKind::Rejected] {
        let mut hold = Hold::new(4);
        sync(&mut hold, &grants([0]));
        hold.next_job(&spec()).unwrap();
        hold.finish(result(0, 10));
        sync(&mut hold, &verdict(0, kind));
        assert_eq!((request(&hold).results.len(), hold.is_empty()), (0, true), "{kind:?}");
    }
}

#[test]
fn what_is_wanted_is_what_has_room_and_nothing_while_many_results_wait() {
    let mut hold = Hold::new(2);
    assert_eq!(hold.want(), 2);
    sync(&mut hold, &grants([0]));
    assert_eq!(hold.want(), 1);
    let mut hold = Hold::new(1);
    for unit in 0..4 {
        assert_eq!(hold.want(), 1, "{unit} results wait");
        sync(&mut hold, &grants([unit]));
        hold.next_job(&spec()).unwrap();
        hold.finish(result(unit, 1));
        hold.idle();
    }
    sync(&mut hold, &grants([4]));
    hold.next_job(&spec()).unwrap();
    hold.finish(result(4, 1));
    assert_eq!(hold.want(), 0, "five results wait for one slot");
    sync(&mut hold, &verdict(0, VerdictKind::Durable));
    assert_eq!(hold.want(), 1);
}

#[test]
fn one_request_carries_eight_mebibytes_of_results_or_one_result() {
    let mut hold = Hold::new(8);
    sync(&mut hold, &grants(WEIGHTS));
    hold.finish(result(0, 5 << 20));
    hold.finish(result(1, 5 << 20));
    assert_eq!(request(&hold).results.len(), 1);
    sync(&mut hold, &verdict(0, VerdictKind::Durable));
    hold.finish(result(2, 9 << 20));
    assert_eq!(request(&hold).results.len(), 1);
    sync(&mut hold, &verdict(1, VerdictKind::Durable));
    assert_eq!(request(&hold).results[0].unit, UnitIndex(2), "alone it goes, whatever its size");
}

#[test]
fn revoked_units_are_dropped_unless_the_engine_is_at_them() {
    let mut hold = Hold::new(4);
    sync(&mut hold, &grants([0]));
    hold.next_job(&spec()).unwrap();
    sync(&mut hold, &grants([1]));
    sync(&mut hold, &SyncReply { revoked: vec![UnitIndex(0), UnitIndex(1)], ..quiet() });
    assert_eq!(numbers(&hold.units()), [0]);
    hold.finish(result(0, 1));
    assert_eq!(request(&hold).results.len(), 1, "it may be worth something yet");
}

#[test]
fn failures_and_what_is_given_back_are_told_until_a_reply_comes() {
    let mut hold = Hold::new(4);
    sync(&mut hold, &grants(WEIGHTS));
    let job = hold.next_job(&spec()).unwrap();
    let first = job.units[0];
    hold.fail_computing("silent");
    hold.release_all();
    let said = request(&hold);
    let failed: Vec<_> = said.failures.iter().map(|failure| (failure.unit, failure.kind)).collect();
    assert!(failed.contains(&(first, FailureKind::Timeout)), "{failed:?}");
    assert_eq!(failed.len() + said.released.len(), 3);
    assert_eq!(request(&hold), said, "the reply was lost");
    let told = sync(&mut hold, &quiet());
    assert_eq!(told, said);
    assert!(hold.is_empty() && request(&hold).failures.is_empty());
    assert_eq!(request(&hold).released, []);
    hold.finish(result(first.0, 1));
    assert!(hold.is_empty(), "a result that comes after all is nobody's");
}

#[test]
fn units_of_a_shard_wait_for_its_text_and_other_text_is_refused() {
    let (spec, mut hold) = (spec(), Hold::new(8));
    let lane = spec.lane(UnitIndex(spec.units() - 1));
    sync(&mut hold, &grants(lane.clone()));
    assert!(hold.is_empty(), "without the text it cannot be computed, and is not held");
    let granted = |text: &ShardText| {
        let mut reply = grants(lane.clone());
        reply.grants[0].text = Some(text.clone());
        reply
    };
    let said = request(&hold);
    let error = hold.apply(hold.told(&said), &granted(&text("y")), &spec).unwrap_err();
    assert!(error.to_string().contains("the text of shard 0"), "{error}");
    sync(&mut hold, &granted(&text("x")));
    assert_eq!(hold.shards(), [ShardId { language: 0, shard: 0 }]);
    let job = hold.next_job(&spec).unwrap();
    assert_eq!(job.units.len() as u64, lane.end - lane.start, "one lane, one job");
    assert_eq!(job.text.as_deref(), Some(&text("x")));
    assert!(hold.next_job(&spec).is_none(), "one job at a time");
    for unit in lane {
        hold.finish(result(unit, 1));
        sync(&mut hold, &verdict(unit, VerdictKind::Durable));
    }
    assert_eq!(hold.shards(), [], "a text that no unit needs is forgotten");
}
