//! A bucket of the S3 kind as a root: how it is addressed, how long a request may take, and what its refusals mean. Feature `s3`; not what is
//! kept in it.

use std::sync::Arc;
use std::time::Duration;

use babelquant_proto::credentials::install_provider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

use super::error::StoreError;

/// A request with all its bytes; `AWS_TIMEOUT` says otherwise.
const REQUEST: Duration = Duration::from_secs(60);

/// Variables that say where the server is.
const ENDPOINTS: [&str; 3] = ["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint"];

/// Variables that say where keys come from.
const KEYS: [&str; 5] = [
    "aws_access_key_id",
    "aws_web_identity_token_file",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_skip_signature",
];

/// What is said where there are none.
const NO_KEYS: &str = " (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and keys were looked for at this machine's role; profiles in \
                       ~/.aws are not read)";

/// The bucket of a URL, and the prefix in it.
pub(super) fn open(
    url: &Url,
    options: &[(String, String)],
) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    // Whoever asks for encryption asks the process for its cryptography.
    install_provider();
    let refused = |error: Error| error.to_string();
    if let Some(endpoint) = first(options, &ENDPOINTS)
        && endpoint.starts_with("http://")
        && first(options, &["aws_allow_http"]) != Some("true")
    {
        return Err(format!("{endpoint} is not encrypted; AWS_ALLOW_HTTP=true allows it"));
    }
    let (_, prefix) = ObjectStoreScheme::parse(url).map_err(|error| refused(error.into()))?;
    let client = ClientOptions::new().with_timeout(REQUEST);
    let mut builder = AmazonS3Builder::new()
        .with_url(url.as_str())
        .with_client_options(client)
        .with_retry(hiccups());
    // Variables that other tools read are none of ours.
    for (key, value) in options {
        if let Ok(key) = key.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok((Arc::new(builder.build().map_err(refused)?), prefix))
}

/// What the first refusal of the bucket at `location` means.
pub(super) fn refusal(location: &str, source: Error, options: &[(String, String)]) -> StoreError {
    let location = location.to_owned();
    match source {
        Error::NotFound { .. } => StoreError::Location {
            location,
            reason: "there is no such bucket; make it first".to_owned(),
        },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            StoreError::Denied { location, source }
        }
        source => {
            let has_keys = first(options, &KEYS).is_some();
            StoreError::Unreached { location, remark: if has_keys { "" } else { NO_KEYS }, source }
        }
    }
}

/// Hiccups are not worth a word. What lasts longer is for the caller, who tells people and tries again.
fn hiccups() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_secs(5) }
}

fn first<'a>(options: &'a [(String, String)], names: &[&str]) -> Option<&'a str> {
    let value = |name: &&str| options.iter().find(|(key, _)| key == name);
    names.iter().find_map(value).map(|(_, value)| value.as_str())
}
