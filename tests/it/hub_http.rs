//! As much of HTTP as the stand-in for the hub speaks (`hub_server.rs`), and how it goes wrong on demand.

use std::io::{BufRead, Write};
use std::net::{Shutdown, TcpStream};

/// What goes wrong with each request whose path ends in a given way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection closes before this byte of the file, once.
    CutOnce(usize),
    /// The connection closes before this byte of the file.
    Cut(usize),
    /// A range is not served: the file comes from its start.
    WholeOnly,
    /// A byte of the body is another one.
    Garbled,
    /// The body is longer than announced, and its header says so.
    Longer,
    /// The body is a byte short, and its header says so.
    Shorter,
    /// The etag leads out of the cache.
    HostileEtag,
    /// A redirect to the same place.
    Circle,
    /// Nothing is answered until the client leaves.
    Silent,
    /// This status and nothing else.
    Status(&'static str),
}

/// A request that arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The first byte of the range that is wanted.
    pub(crate) range: Option<usize>,
    /// The last one, where the range is closed.
    last: Option<usize>,
    pub(crate) authorization: Option<String>,
    pub(crate) host: String,
}

/// An answer before its body is cut.
pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// The byte of the file that the body begins with.
    pub(crate) start: usize,
}

/// The next request of a connection; `None` at its end.
pub(crate) fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = reader.lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let path = target.split('?').next()?.to_owned();
    let mut request = Request { method, path, ..Request::default() };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let (start, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                (request.range, request.last) = (start.parse().ok(), last.parse().ok());
            }
            "authorization" => request.authorization = Some(value.to_owned()),
            "host" => request.host = value.to_owned(),
            _ => {}
        }
    }
    Some(request)
}

/// Answers, with or without a fault; `None` where that ends the connection.
pub(crate) fn write_answer(
    mut stream: &TcpStream,
    request: &Request,
    mut answer: Answer,
    fault: Option<Fault>,
) -> Option<()> {
    let mut cut = None;
    match fault {
        Some(Fault::CutOnce(at) | Fault::Cut(at)) => cut = Some(at.saturating_sub(answer.start)),
        Some(Fault::Garbled) => answer.body[0] ^= 1,
        Some(Fault::Longer) => answer.body.push(0),
        Some(Fault::Shorter) => answer.body.truncate(answer.body.len().saturating_sub(1)),
        Some(Fault::HostileEtag) => {
            let etags = answer.headers.iter_mut().filter(|(name, _)| name.ends_with("tag"));
            etags.for_each(|(_, value)| *value = "\"../../../escape\"".to_owned());
        }
        Some(Fault::Circle) => {
            (answer.status, answer.headers) =
                ("302 Found", vec![("Location", request.path.clone())]);
        }
        Some(Fault::Status(status)) => answer = Answer { status, ..refusal("", None, "broken") },
        Some(Fault::WholeOnly | Fault::Silent) | None => {}
    }
    let mut head =
        format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    answer.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    let end = if request.method == "HEAD" { 0 } else { answer.body.len() };
    stream.write_all(&answer.body[..cut.unwrap_or(end).min(end)]).ok()?;
    if cut.is_some() {
        stream.shutdown(Shutdown::Both).ok()?;
        return None;
    }
    Some(())
}

/// A file's content, from where the request wants it.
pub(crate) fn content(request: &Request, content: &[u8]) -> Answer {
    let length = content.len();
    let ranges = ("Accept-Ranges", "bytes".to_owned());
    let end = request.last.map_or(length, |last| length.min(last + 1));
    let (status, headers, part) = match request.range {
        Some(start) if start >= length => (
            "416 Range Not Satisfiable",
            vec![("Content-Range", format!("bytes */{length}"))],
            length..length,
        ),
        Some(start) => {
            let range = format!("bytes {start}-{}/{length}", end - 1);
            ("206 Partial Content", vec![ranges, ("Content-Range", range)], start..end)
        }
        None => ("200 OK", vec![ranges], 0..length),
    };
    Answer { status, headers, start: part.start, body: content[part].to_vec() }
}

/// A document.
pub(crate) fn json(value: &serde_json::Value) -> Answer {
    let headers = vec![("Content-Type", "application/json; charset=utf-8".to_owned())];
    Answer { status: "200 OK", headers, body: value.to_string().into_bytes(), start: 0 }
}

/// A status with the hub's explanation.
pub(crate) fn refusal(status: &'static str, code: Option<&str>, message: &str) -> Answer {
    let mut headers = vec![("X-Error-Message", message.to_owned())];
    headers.extend(code.map(|code| ("X-Error-Code", code.to_owned())));
    Answer { status, headers, body: message.as_bytes().to_vec(), start: 0 }
}
