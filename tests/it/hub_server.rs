//! A stand-in for a hub of models: the endpoints that downloads use, on loopback, with faults on demand. Python's
//! `huggingface_hub` downloads from it too (`hub.rs`), so it is no easier than the real one in what it answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::hub_http::{Answer, Fault, Request, content, json, read_request, refusal, write_answer};

/// A hub that listens until the process ends.
pub(crate) struct HubServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What is published, what goes wrong, what was asked.
#[derive(Default)]
struct State {
    commits: BTreeMap<(String, String), Vec<Published>>,
    branches: BTreeMap<(String, String), String>,
    /// Repositories that one token opens.
    gates: BTreeMap<String, String>,
    faults: Vec<(String, Fault)>,
    requests: Vec<Request>,
}

/// A file of a commit.
#[derive(Clone)]
struct Published {
    name: String,
    content: Vec<u8>,
}

impl HubServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Self { port, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Publishes a commit and moves a branch to it; the commit's name is returned.
    pub(crate) fn publish(
        &self,
        repository: &str,
        branch: &str,
        files: &[(&str, Vec<u8>)],
    ) -> String {
        let files: Vec<Published> = files
            .iter()
            .map(|(name, content)| Published { name: (*name).to_owned(), content: content.clone() })
            .collect();
        let mut hasher = Sha1::new_with_prefix(repository);
        files.iter().for_each(|file| hasher.update(format!("{}{}", file.name, etag(file))));
        let commit = format!("{:x}", hasher.finalize());
        let mut state = self.state.lock().unwrap();
        state.commits.insert((repository.to_owned(), commit.clone()), files);
        state.branches.insert((repository.to_owned(), branch.to_owned()), commit.clone());
        commit
    }

    /// Lets only this token read a repository's files.
    pub(crate) fn gate(&self, repository: &str, token: &str) {
        self.state.lock().unwrap().gates.insert(repository.to_owned(), format!("Bearer {token}"));
    }

    /// Makes something go wrong with the content of a file, or with every path that ends so.
    pub(crate) fn fault(&self, path_end: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push((path_end.to_owned(), fault));
    }

    /// Ends all faults.
    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

/// True for files that a real hub keeps as large ones.
fn is_large(name: &str) -> bool {
    [".safetensors", ".bin", ".model", ".h5"].iter().any(|end| name.ends_with(end))
}

/// What names the content: SHA-256 of a large file, git's name of a small one.
fn etag(file: &Published) -> String {
    if is_large(&file.name) {
        return format!("{:x}", Sha256::digest(&file.content));
    }
    let hasher = Sha1::new_with_prefix(format!("blob {}\0", file.content.len()));
    format!("{:x}", hasher.chain_update(&file.content).finalize())
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut request = read_request(&mut reader)?;
        let (answer, fault) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let fault = state.take_fault(&request);
            request.range = request.range.filter(|_| fault != Some(Fault::WholeOnly));
            (state.answer(&request), fault)
        };
        if fault == Some(Fault::Silent) {
            // Returns when the client closes its side.
            reader.fill_buf().ok()?;
            return None;
        }
        write_answer(&stream, &request, answer, fault)?;
    }
}

impl State {
    fn take_fault(&mut self, request: &Request) -> Option<Fault> {
        // A large file's content lies under its digest: faults are told the file's name.
        let digest = request.path.strip_prefix("/lfs/");
        let name = digest
            .and_then(|digest| self.commits.values().flatten().find(|file| etag(file) == digest));
        let path = name.map_or(request.path.as_str(), |file| file.name.as_str());
        let at = self.faults.iter().position(|(end, fault)| {
            let content =
                request.method == "GET" && (name.is_some() || !path.contains("/resolve/"));
            path.ends_with(end.as_str())
                && (content
                    || matches!(fault, Fault::HostileEtag | Fault::Circle | Fault::Status(_)))
        })?;
        let fault = self.faults[at].1;
        if let Fault::CutOnce(_) = fault {
            self.faults.remove(at);
        }
        Some(fault)
    }

    fn answer(&self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match path[..] {
            ["api", "models", owner, name, "revision", revision] => {
                self.info(&format!("{owner}/{name}"), revision)
            }
            ["api", "models", owner, name, "tree", revision] => {
                self.tree(&format!("{owner}/{name}"), revision)
            }
            ["api", "resolve-cache", "models", owner, name, commit, file] => {
                self.small(request, (&format!("{owner}/{name}"), commit, file))
            }
            ["lfs", digest] => self.large(request, digest),
            [owner, name, "resolve", revision, file] => {
                self.resolve(request, (&format!("{owner}/{name}"), revision, file))
            }
            _ => {
                refusal("404 Not Found", None, "Sorry, we can't find the page you are looking for.")
            }
        }
    }

    /// The commit of a branch or of itself, and its files.
    fn commit(&self, repository: &str, revision: &str) -> Result<(String, &[Published]), Answer> {
        if !self.commits.keys().any(|(known, _)| known == repository) {
            return Err(refusal("404 Not Found", Some("RepoNotFound"), "Repository not found"));
        }
        let revision = revision.replace("%2F", "/");
        let branch = (repository.to_owned(), revision.clone());
        let commit = self.branches.get(&branch).cloned().unwrap_or(revision);
        let files = self.commits.get(&(repository.to_owned(), commit.clone())).map(Vec::as_slice);
        let invalid = || refusal("404 Not Found", Some("RevisionNotFound"), "Invalid rev id");
        Ok((commit, files.ok_or_else(invalid)?))
    }

    fn info(&self, repository: &str, revision: &str) -> Answer {
        let (commit, files) = match self.commit(repository, revision) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let siblings: Vec<_> =
            files.iter().map(|file| serde_json::json!({ "rfilename": file.name })).collect();
        let gated = if self.gates.contains_key(repository) {
            "manual".into()
        } else {
            serde_json::json!(false)
        };
        json(&serde_json::json!({
            "_id": "0", "id": repository, "modelId": repository, "sha": commit, "private": false, "gated": gated,
            "disabled": false, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings,
        }))
    }

    fn tree(&self, repository: &str, revision: &str) -> Answer {
        let entry = |file: &Published| {
            let mut entry = serde_json::json!({
                "type": "file", "path": file.name, "size": file.content.len(), "oid": etag(file),
            });
            if is_large(&file.name) {
                entry["lfs"] = serde_json::json!({ "oid": etag(file), "size": file.content.len(), "pointerSize": 134 });
            }
            entry
        };
        match self.commit(repository, revision) {
            Ok((_, files)) => json(&files.iter().map(entry).collect()),
            Err(answer) => answer,
        }
    }

    /// Sends to where the content is: within the hub for a small file, to another host for a large one.
    fn resolve(
        &self,
        request: &Request,
        (repository, revision, name): (&str, &str, &str),
    ) -> Answer {
        if let Err(answer) = self.admit(request, repository) {
            return answer;
        }
        let (commit, files) = match self.commit(repository, revision) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let Some(file) = files.iter().find(|file| file.name == name) else {
            return refusal("404 Not Found", Some("EntryNotFound"), "Entry not found");
        };
        let etag = etag(file);
        let (status, location) = if is_large(name) {
            let port = request.host.rsplit(':').next().unwrap_or_default();
            ("302 Found", format!("http://localhost:{port}/lfs/{etag}"))
        } else {
            (
                "307 Temporary Redirect",
                format!("/api/resolve-cache/models/{repository}/{commit}/{name}"),
            )
        };
        let headers = vec![
            ("Location", location),
            ("X-Repo-Commit", commit),
            ("X-Linked-Size", file.content.len().to_string()),
            ("X-Linked-Etag", format!("\"{etag}\"")),
        ];
        Answer { status, headers, body: b"Redirecting".to_vec(), start: 0 }
    }

    fn small(&self, request: &Request, (repository, commit, name): (&str, &str, &str)) -> Answer {
        if let Err(answer) = self.admit(request, repository) {
            return answer;
        }
        let files = self.commits.get(&(repository.to_owned(), commit.to_owned()));
        let file = files.and_then(|files| files.iter().find(|file| file.name == name));
        let Some(file) = file else {
            return refusal("404 Not Found", Some("EntryNotFound"), "Entry not found");
        };
        let mut answer = content(request, &file.content);
        answer.headers.push(("ETag", format!("\"{}\"", etag(file))));
        answer.headers.push(("X-Repo-Commit", commit.to_owned()));
        answer
    }

    /// The other host: it knows no token and no repository.
    fn large(&self, request: &Request, digest: &str) -> Answer {
        let file = self.commits.values().flatten().find(|file| etag(file) == digest);
        match file {
            Some(_) if request.authorization.is_some() => {
                refusal("400 Bad Request", None, "a token for another host")
            }
            Some(file) => content(request, &file.content),
            None => refusal("404 Not Found", None, "no such content"),
        }
    }

    fn admit(&self, request: &Request, repository: &str) -> Result<(), Answer> {
        let gate = self.gates.get(repository);
        if gate.is_none_or(|token| request.authorization.as_ref() == Some(token)) {
            return Ok(());
        }
        let status =
            if request.authorization.is_some() { "403 Forbidden" } else { "401 Unauthorized" };
        Err(refusal(status, Some("GatedRepo"), "Access to model is restricted"))
    }
}
