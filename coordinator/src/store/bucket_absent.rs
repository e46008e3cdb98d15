//! Buckets in a build without the feature `s3`: every one is refused.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error, ObjectStore};
use url::Url;

use super::error::StoreError;

/// Refuses.
pub(super) fn open(
    _: &Url,
    _: &[(String, String)],
) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    Err("this build lacks S3; build it with `--features s3`".to_owned())
}

/// Nobody asks: there is no bucket.
pub(super) fn refusal(location: &str, source: Error, _: &[(String, String)]) -> StoreError {
    StoreError::Unreached { location: location.to_owned(), remark: "", source }
}
