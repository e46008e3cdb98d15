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

/// The variables of a key.
const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

/// Variables that say where keys come from.
const KEYS: [&str; 5] = [
    ID,
    "aws_web_identity_token_file",
    "aws_container_credentials_relative_uri",
    "aws_container_credentials_full_uri",
    "aws_skip_signature",
];

/// The protocol's codes for keys that are wrong, too old, or not allowed to do this.
const DENIALS: [&str; 7] = [
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// What is said where there are no keys.
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
    for (set, other) in [(ID, SECRET), (SECRET, ID)] {
        if first(options, &[set]).is_some() && first(options, &[other]).is_none() {
            let [set, other] = [set, other].map(str::to_uppercase);
            return Err(format!("{set} is set and {other} is not"));
        }
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
    let unusable = |reason: &str| StoreError::Location {
        location: location.clone(),
        reason: reason.to_owned(),
    };
    let text = source.to_string();
    match code(&text) {
        Some("NoSuchBucket") => unusable("there is no such bucket; make it first"),
        Some("AuthorizationHeaderMalformed" | "PermanentRedirect") => {
            unusable("the bucket is in another region; AWS_REGION says in which")
        }
        Some(code) if DENIALS.contains(&code) => StoreError::Denied { location, source },
        Some(_) | None => {
            let has_keys = first(options, &KEYS).is_some();
            StoreError::Unreached { location, remark: if has_keys { "" } else { NO_KEYS }, source }
        }
    }
}

/// The code of a refusal as the protocol has it. Kinds of errors do not say it: of a listing there is only one.
fn code(text: &str) -> Option<&str> {
    Some(text.split_once("<Code>")?.1.split_once("</Code>")?.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_code() {
        let keys = [("aws_access_key_id".to_owned(), "k".to_owned())];
        let meant = |code: &str, options: &[(String, String)]| {
            let source = format!("404 Not Found: <Error><Code>{code}</Code></Error>").into();
            refusal("s3://b/p", Error::Generic { store: "S3", source }, options)
        };
        assert!(matches!(meant("NoSuchBucket", &keys), StoreError::Location { .. }));
        let region = meant("AuthorizationHeaderMalformed", &keys);
        assert!(region.to_string().contains("AWS_REGION"), "{region}");
        assert!(matches!(meant("SignatureDoesNotMatch", &keys), StoreError::Denied { .. }));
        let other = meant("InternalError", &keys);
        assert_eq!(other.to_string(), "cannot list s3://b/p");
        assert!(meant("InternalError", &[]).to_string().contains("are not set"));
    }

    #[test]
    fn an_endpoint_without_encryption_is_allowed_or_refused() {
        let url: Url = "s3://bucket/some/prefix".parse().unwrap();
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let plain = option("aws_endpoint_url", "http://127.0.0.1:9000");
        let error = open(&url, std::slice::from_ref(&plain)).unwrap_err();
        assert!(error.contains("AWS_ALLOW_HTTP=true"), "{error}");
        let (_, prefix) = open(&url, &[plain, option("aws_allow_http", "true")]).unwrap();
        assert_eq!(prefix.as_ref(), "some/prefix");
        let error = open(&url, &[option(ID, "k")]).unwrap_err();
        assert_eq!(error, "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
    }
}
