//! A hub's answers: what a repository holds, what its files are called by content, their bytes. Not where they are kept.

use hf_hub::Repo;
use hf_hub::api::RepoInfo;
use ureq::http::{Method, Request, Response, Uri};
use ureq::{Agent, Body};

use super::HubError;
use super::folder::is_commit;
use super::settings::{Settings, Token};

/// Redirects in a row before they are called a circle.
const REDIRECTS_MAX: usize = 5;

/// A hub and whoever asks it.
#[derive(Debug)]
pub(super) struct Remote<'a> {
    agent: Agent,
    endpoint: &'a str,
    token: Option<&'a Token>,
}

/// A file of a repository as the hub announces it.
#[derive(Debug)]
pub(super) struct Announced {
    /// The name of its content.
    pub(super) etag: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Where its content is.
    url: String,
}

impl<'a> Remote<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        let patience = Some(settings.silence_max);
        let config = Agent::config_builder()
            .user_agent(concat!("babelquant/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_per_read(patience)
            .build();
        Self { agent: config.into(), endpoint: &settings.endpoint, token: settings.token.as_ref() }
    }

    /// The commit of a revision and the names of its files.
    pub(super) fn listing(&self, repo: &Repo) -> Result<RepoInfo, HubError> {
        let url = format!("{}/api/{}", self.endpoint, repo.api_url());
        let (mut response, url) = self.follow(&Method::GET, url, 0)?;
        if !response.status().is_success() {
            return Err(self.refusal(repo, url, &response));
        }
        let text = response.body_mut().read_to_vec();
        let text = text.map_err(|source| unreachable(url.clone(), source))?;
        let info = serde_json::from_slice::<RepoInfo>(&text);
        let info =
            info.map_err(|error| senseless(&url, format!("with no repository ({error})")))?;
        if !is_commit(&info.sha) {
            return Err(senseless(&url, format!("with {:?} for a commit", info.sha)));
        }
        Ok(info)
    }

    /// What the hub says of a file; `repo` is at a commit.
    pub(super) fn announced(&self, repo: &Repo, name: &str) -> Result<Announced, HubError> {
        let commit = repo.revision();
        let url = format!("{}/{}/resolve/{commit}/{name}", self.endpoint, repo.url());
        let (response, url) = self.follow(&Method::HEAD, url, 0)?;
        let elsewhere = response.status().is_redirection();
        if !response.status().is_success() && !elsewhere {
            return Err(self.refusal(repo, url, &response));
        }
        let header = |name: &str| header(&response, name);
        if header("x-repo-commit").is_some_and(|answered| answered != commit) {
            return Err(senseless(&url, format!("with another commit than {commit}")));
        }
        let etag = header("x-linked-etag").or(header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        if etag.is_empty() || !etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(senseless(&url, format!("with the etag {etag:?}, which names no content")));
        }
        let own = header("content-length").filter(|_| !elsewhere);
        let bytes = header("x-linked-size").or(own).and_then(|bytes| bytes.parse().ok());
        match bytes {
            Some(bytes) => Ok(Announced { etag, bytes, url }),
            None => Err(senseless(&url, "without the length of the file".to_owned())),
        }
    }

    /// The content of a file from byte `start` on; the hub may begin at 0 all the same.
    pub(super) fn content(&self, file: &Announced, start: u64) -> Result<Response<Body>, HubError> {
        let mut url = file.url.clone();
        for _ in 0..REDIRECTS_MAX {
            let (response, reached) = self.follow(&Method::GET, url, start)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = reached;
        }
        Err(senseless(&file.url, "with redirects in a circle".to_owned()))
    }

    /// Asks, follows redirects within the hub, and says where that led, or where it would lead next.
    fn follow(
        &self,
        method: &Method,
        mut url: String,
        start: u64,
    ) -> Result<(Response<Body>, String), HubError> {
        for _ in 0..REDIRECTS_MAX {
            let response = self.ask(method, &url, start);
            let response = response.map_err(|source| unreachable(url.clone(), source))?;
            if !response.status().is_redirection() {
                return Ok((response, url));
            }
            let location = header(&response, "location").unwrap_or_default();
            let next = match location.strip_prefix('/') {
                Some(path) if !path.starts_with('/') => format!("{}/{path}", origin(&url)),
                Some(_) | None => location.to_owned(),
            };
            if origin(&next).is_empty() {
                return Err(senseless(&url, format!("with a redirect to {location:?}")));
            }
            if origin(&next) != origin(self.endpoint) {
                return Ok((response, next));
            }
            url = next;
        }
        Err(senseless(&url, "with redirects in a circle".to_owned()))
    }

    fn ask(&self, method: &Method, url: &str, start: u64) -> Result<Response<Body>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(url);
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        // The token is for the hub alone: other hosts that it sends us to must not see it.
        if let Some(token) = self.token.filter(|_| origin(url) == origin(self.endpoint)) {
            request = request.header("authorization", token.bearer());
        }
        self.agent.run(request.body(())?)
    }

    /// What a status that is no success means.
    pub(super) fn refusal(&self, repo: &Repo, url: String, response: &Response<Body>) -> HubError {
        let (repository, endpoint) = (repo.url(), self.endpoint.to_owned());
        let message = header(response, "x-error-message").unwrap_or_default();
        match (header(response, "x-error-code"), response.status().as_u16()) {
            (Some("GatedRepo"), _) | (None, 403) => HubError::Gated { repository, endpoint },
            (Some("RevisionNotFound"), _) => {
                HubError::NoRevision { repository, revision: repo.revision().to_owned() }
            }
            (_, 401) if message.starts_with("Invalid credentials") => HubError::Token { endpoint },
            (Some("RepoNotFound"), _) | (None, 401 | 404) => {
                HubError::NoRepository { repository, endpoint }
            }
            (_, status) => HubError::Status { url, status, message: message.to_owned() },
        }
    }
}

impl Announced {
    /// What makes no sense in the answer to a request for the content.
    pub(super) fn senseless(&self, reason: String) -> HubError {
        senseless(&self.url, reason)
    }

    /// A status that is no success, in answer to a request for the content.
    pub(super) fn refusal(&self, response: &Response<Body>) -> HubError {
        let message = header(response, "x-error-message").unwrap_or_default().to_owned();
        HubError::Status { url: self.url.clone(), status: response.status().as_u16(), message }
    }
}

pub(super) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Scheme, host and port of an address; empty where it is none.
fn origin(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| uri.scheme_str().zip(uri.authority()));
    parts.map(|(scheme, authority)| format!("{scheme}://{authority}")).unwrap_or_default()
}

fn senseless(url: &str, reason: String) -> HubError {
    HubError::Answer { url: url.to_owned(), reason }
}

fn unreachable(url: String, source: ureq::Error) -> HubError {
    HubError::Unreachable { url, source: Box::new(source) }
}
