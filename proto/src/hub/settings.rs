//! Where the cache lies, which hub is asked and as whom: the variables of Python's `huggingface_hub`. Not the environment
//! itself, which the programs' command lines read.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long a hub may be silent, as in Python.
const SILENCE_SECONDS: u64 = 10;

/// What a hub is asked with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) cache: PathBuf,
    pub(super) endpoint: String,
    pub(super) token: Option<Token>,
    pub(super) network: Network,
    pub(super) silence_max: Duration,
}

/// May requests be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Online,
    Offline,
}

/// A secret that does not show in logs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// This program's own folder among the user's caches, which lie where XDG_CACHE_HOME or else HOME says.
pub fn cache_folder(get: impl Fn(&str) -> Option<String>) -> PathBuf {
    caches(&get).join("babelquant")
}

/// The user's folder of caches.
fn caches(get: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
    let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache");
    set("XDG_CACHE_HOME").map_or_else(home, |value| PathBuf::from(expand(&value, get)))
}

impl Settings {
    pub(super) fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |names: &[&str]| {
            names.iter().find_map(|name| get(name).filter(|value| !value.trim().is_empty()))
        };
        let folder = |names: &[&str]| set(names).map(|value| PathBuf::from(expand(&value, &get)));
        let home = folder(&["HF_HOME"]).unwrap_or_else(|| caches(&get).join("huggingface"));
        let is_true =
            |value: String| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str());
        let offline = set(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]).is_some_and(is_true);
        let explicit = set(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]);
        let stored = || {
            let path = folder(&["HF_TOKEN_PATH"]).unwrap_or_else(|| home.join("token"));
            fs::read_to_string(path).ok()
        };
        let silence = set(&["HF_HUB_DOWNLOAD_TIMEOUT"]).and_then(|value| value.parse().ok());
        Self {
            cache: folder(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
                .unwrap_or_else(|| home.join("hub")),
            endpoint: set(&["HF_ENDPOINT"]).map_or("https://huggingface.co".to_owned(), |value| {
                value.trim().trim_end_matches('/').to_owned()
            }),
            token: explicit
                .or_else(stored)
                .map(|token| token.replace(['\r', '\n'], "").trim().to_owned())
                .filter(|token| !token.is_empty())
                .map(Token),
            network: if offline { Network::Offline } else { Network::Online },
            silence_max: Duration::from_secs(
                silence.filter(|&seconds| seconds > 0).unwrap_or(SILENCE_SECONDS),
            ),
        }
    }
}

/// Puts the values of a leading `~`, of `$NAME` and of `${NAME}` in; an unknown name stays as it is written.
fn expand(value: &str, get: &impl Fn(&str) -> Option<String>) -> String {
    let home = get("HOME").filter(|_| value == "~" || value.starts_with("~/"));
    let (mut expanded, mut rest) = home.map_or((String::new(), value), |home| (home, &value[1..]));
    while let Some(at) = rest.find('$') {
        let tail = &rest[at + 1..];
        let (braced, inner) = tail.strip_prefix('{').map_or((0, tail), |inner| (1, inner));
        let word =
            inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let closed = braced == 0 || inner[word..].starts_with('}');
        let end = at + 1 + if closed { word + 2 * braced } else { 0 };
        let known = get(&inner[..word]).filter(|_| closed && word > 0);
        expanded.push_str(&rest[..at]);
        expanded.push_str(known.as_deref().unwrap_or(&rest[at..end]));
        rest = &rest[end..];
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::from_variables(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_cache_lies_where_python_has_it() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            assert_eq!(settings(variables).cache, PathBuf::from(expected), "{variables:?}");
        };
        let home = ("HOME", "/home/user");
        check(&[home], "/home/user/.cache/huggingface/hub");
        check(&[home, ("XDG_CACHE_HOME", "/scratch")], "/scratch/huggingface/hub");
        check(&[home, ("HF_HOME", "~/models")], "/home/user/models/hub");
        check(&[home, ("HF_HOME", "${HOME}/a$HOME")], "/home/user/a/home/user/hub");
        check(&[("HF_HOME", "/a/$NONE/${NONE}/${/$")], "/a/$NONE/${NONE}/${/$/hub");
        check(&[("HF_HOME", "/a"), ("HF_HUB_CACHE", "/b")], "/b");
        check(&[("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", "/c")], "/c");
    }

    #[test]
    fn the_program_has_a_folder_of_its_own_among_the_caches() {
        let folder = |name: &'static str, value: &'static str| {
            cache_folder(|asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(folder("HOME", "/home/user"), PathBuf::from("/home/user/.cache/babelquant"));
        assert_eq!(folder("XDG_CACHE_HOME", "/scratch"), PathBuf::from("/scratch/babelquant"));
    }

    #[test]
    fn a_token_is_given_or_stored_and_never_shown() {
        assert_eq!(settings(&[("HF_TOKEN", " hf_abc\n")]).token, Some(Token("hf_abc".to_owned())));
        assert_eq!(settings(&[("HF_TOKEN", " \n"), ("HF_HOME", "/nowhere")]).token, None);
        let shown = format!("{:?}", settings(&[("HF_TOKEN", "hf_abc")]));
        assert!(!shown.contains("hf_abc"), "{shown}");
    }

    #[test]
    fn offline_and_the_endpoint_are_spelled_as_in_python() {
        for value in ["1", "on", "Yes", "TRUE"] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).network, Network::Offline);
        }
        for value in ["0", "no", ""] {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).network, Network::Online);
        }
        assert_eq!(settings(&[]).endpoint, "https://huggingface.co");
        assert_eq!(
            settings(&[("HF_ENDPOINT", "http://127.0.0.1:80/")]).endpoint,
            "http://127.0.0.1:80"
        );
    }
}
