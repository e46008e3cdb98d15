//! Parts on their way from the journal to their files, when somebody else was quicker and when what was committed is damaged.

use super::*;

/// It had a part to write, and its results are in files by now.
#[tokio::test]
async fn a_coordinator_that_was_overtaken_loses_nothing() {
    for Storage { output, .. } in &storages() {
        check_overtaken(output).await;
    }
}

async fn check_overtaken(output: &Output) {
    let spec = Arc::new(spec(1));
    let (first, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    let mut first = first.keeping(0);
    let entries: Vec<Entry> = (0..spec.units()).map(|unit| entry(&spec, unit)).collect();
    first.commit(entries).await.unwrap();
    let compaction = first.begin_compaction().unwrap();
    let (mut second, _) = Store::open(output, Arc::clone(&spec)).await.unwrap();
    second.compact().await.unwrap();
    let journal = output.objects.list("journal").await.unwrap();
    assert!(journal.iter().all(|path| path.contains("epoch")), "{journal:?}");
    let compacted = compaction.write().await.unwrap();
    first.end_compaction(compacted).await;
    second.finish().await.unwrap();
}

/// A commit is damaged: it is said so, and no file is made of it.
#[tokio::test]
async fn a_result_that_is_not_what_was_committed_is_named() {
    let output = Output::of(Arc::new(InMemory::new()));
    let spec = Arc::new(spec(1));
    let (store, _) = Store::open(&output, Arc::clone(&spec)).await.unwrap();
    let mut store = store.keeping(0);
    let entries: Vec<Entry> = (0..spec.units()).map(|unit| entry(&spec, unit)).collect();
    store.commit(entries.clone()).await.unwrap();
    let path = "journal/00000001-00000000.arrow";
    let mut content = output.objects.get(path).await.unwrap().unwrap().to_vec();
    let Entry::Result { payload, .. } = &entries[0] else { panic!("a result") };
    let at = content.windows(payload.len()).position(|bytes| bytes == &payload[..]).unwrap();
    content[at + payload.len() / 2] ^= 1;
    output.objects.put_over(path, content.into()).await.unwrap();
    let error = store.compact().await.unwrap_err();
    let damaged = matches!(&error, StoreError::Damaged { path: named, .. } if named == path);
    assert!(damaged && !error.is_transient(), "{error}");
    assert_eq!(output.objects.list("data").await.unwrap(), [""; 0]);
}
