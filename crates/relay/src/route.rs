//! Which address means what: a pure reading of method and path.

use http::Method;
use percent_encoding::percent_decode_str;
use relay_core::protocol::Family;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A conversation in Anthropic Messages.
    Messages,
    /// The tokens of a conversation, uncounted.
    CountTokens,
    /// The models that the key may use.
    Models,
    /// One of them.
    Model(String),
    /// A sign of life under a family's prefix: some clients send `HEAD` before they call.
    Greeting,
    /// An address that comes with a later version.
    NotBuilt,
    /// An address that does not exist.
    Unknown,
    /// An address that exists, asked with a method that it does not have.
    WrongMethod,
}

/// A client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRoute {
    /// The shape of errors.
    pub family: Family,
    /// What is asked for.
    pub ask: Ask,
}

/// Prefixes of the Anthropic family, the longest first.
const ANTHROPIC_PREFIXES: [&str; 5] = ["/openai/claude", "/api/claude", "/api", "/claude", ""];

impl ClientRoute {
    /// Reads a client's address; `None` is an address of the relay itself or of nobody.
    ///
    /// Repeated slashes count as one, since a base URL with a trailing slash leads to them, and a
    /// trailing slash counts as none.
    pub fn read(method: &Method, path: &str, has_anthropic_mark: bool) -> Option<Self> {
        let path = collapse(path);
        ANTHROPIC_PREFIXES
            .iter()
            .find_map(|prefix| {
                let rest = path
                    .strip_prefix(prefix)
                    .filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
                let ask = anthropic(method, rest)?;
                let shared = matches!(ask, Ask::Models | Ask::Model(_)) && *prefix != "/claude";
                let family =
                    if shared && !has_anthropic_mark { Family::Openai } else { Family::Anthropic };
                Some(Self { family, ask })
            })
            .filter(|route| !(route.ask == Ask::Greeting && matches!(path.as_str(), "" | "/")))
            .or_else(|| elsewhere(&path, has_anthropic_mark))
    }
}

/// The addresses of the Anthropic family under one of its prefixes.
fn anthropic(method: &Method, rest: &str) -> Option<Ask> {
    let (get, post) = (matches!(*method, Method::GET | Method::HEAD), *method == Method::POST);
    let only = |allowed: bool, ask: Ask| Some(if allowed { ask } else { Ask::WrongMethod });
    match rest {
        "" => get.then_some(Ask::Greeting),
        "/v1/messages" => only(post, Ask::Messages),
        "/v1/messages/count_tokens" => only(post, Ask::CountTokens),
        "/v1/models" => only(get, Ask::Models),
        _ => {
            let id = rest.strip_prefix("/v1/models/").filter(|id| !id.is_empty())?;
            let id = percent_decode_str(id).decode_utf8_lossy();
            only(get, Ask::Model(id.into_owned()))
        }
    }
}

/// Addresses of other families, and unknown ones under a family's prefix.
fn elsewhere(path: &str, has_anthropic_mark: bool) -> Option<ClientRoute> {
    const NOT_BUILT: [&str; 9] = [
        "/responses",
        "/v1/responses",
        "/chat/completions",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1beta",
        "/v1internal",
    ];
    let under = |prefix: &str| {
        path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_known = |rest: &str| NOT_BUILT.iter().any(|built| rest.starts_with(built));
    let either = |rest: &str| {
        let marked = has_anthropic_mark || rest.starts_with("/v1/messages");
        if marked && !is_known(rest) { Family::Anthropic } else { Family::Openai }
    };
    let (family, rest) =
        if let Some(rest) = under("/openai/claude").or_else(|| under("/droid/claude")) {
            (either(rest), rest)
        } else if let Some(rest) = under("/openai/gemini")
            .or_else(|| under("/openai"))
            .or_else(|| under("/azure"))
            .or_else(|| under("/droid"))
        {
            (Family::Openai, rest)
        } else if let Some(rest) = under("/gemini") {
            (Family::Gemini, rest)
        } else if let Some(rest) = under("/api").or_else(|| under("/claude")) {
            let openai = rest.contains("/chat/completions");
            (if openai { Family::Openai } else { Family::Anthropic }, rest)
        } else if path.starts_with("/v1beta") {
            (Family::Gemini, path)
        } else if path.starts_with("/v1/")
            || path.starts_with("/responses")
            || path.starts_with("/chat/")
        {
            (either(path), path)
        } else {
            return None;
        };
    Some(ClientRoute { family, ask: if is_known(rest) { Ask::NotBuilt } else { Ask::Unknown } })
}

fn collapse(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        plain.push('/');
        plain.push_str(part);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &Method, path: &str) -> Option<(Family, Ask)> {
        ClientRoute::read(method, path, true).map(|route| (route.family, route.ask))
    }

    #[test]
    fn every_prefix_of_the_family_leads_to_the_same_place() {
        for prefix in ["", "/api", "/claude", "/openai/claude", "/api/claude"] {
            let post = |rest: &str| ask(&Method::POST, &format!("{prefix}{rest}"));
            let get = |rest: &str| ask(&Method::GET, &format!("{prefix}{rest}"));
            let anthropic = |ask| Some((Family::Anthropic, ask));
            assert_eq!(post("/v1/messages"), anthropic(Ask::Messages));
            assert_eq!(post("//v1//messages/"), anthropic(Ask::Messages));
            assert_eq!(post("/v1/messages/count_tokens"), anthropic(Ask::CountTokens));
            assert_eq!(get("/v1/models"), anthropic(Ask::Models));
            assert_eq!(get("/v1/models/a-b"), anthropic(Ask::Model("a-b".into())));
            assert_eq!(get("/v1/messages"), anthropic(Ask::WrongMethod));
        }
    }

    #[test]
    fn a_shared_address_goes_by_the_clients_marks() {
        let family =
            |path, mark| ClientRoute::read(&Method::GET, path, mark).map(|route| route.family);
        for path in ["/v1/models", "/api/v1/models", "/openai/claude/v1/models"] {
            assert_eq!(family(path, true), Some(Family::Anthropic));
            assert_eq!(family(path, false), Some(Family::Openai));
        }
        assert_eq!(family("/claude/v1/models", false), Some(Family::Anthropic));
    }

    #[test]
    fn greetings_and_the_unknown_stay_in_their_family() {
        assert_eq!(ask(&Method::HEAD, "/api/"), Some((Family::Anthropic, Ask::Greeting)));
        assert_eq!(ask(&Method::GET, "/claude"), Some((Family::Anthropic, Ask::Greeting)));
        assert_eq!(ask(&Method::GET, "/"), None);
        assert_eq!(ask(&Method::GET, "/health"), None);
        assert_eq!(ask(&Method::GET, "/apiary/v1/messages"), None);
        assert_eq!(ask(&Method::POST, "/api/v2/x"), Some((Family::Anthropic, Ask::Unknown)));
        assert_eq!(ask(&Method::POST, "/gemini/x"), Some((Family::Gemini, Ask::Unknown)));
        let responses = Some((Family::Openai, Ask::NotBuilt));
        assert_eq!(ask(&Method::POST, "/openai/responses"), responses);
        assert_eq!(ask(&Method::POST, "/openai/v1/chat/completions"), responses);
        assert_eq!(ask(&Method::POST, "/v1/chat/completions"), responses);
        assert_eq!(ask(&Method::POST, "/openai/claude/v1/chat/completions"), responses);
        let batches = ClientRoute::read(&Method::POST, "/v1/messages/batches", false);
        assert_eq!(batches.map(|route| route.family), Some(Family::Anthropic));
        let files = |mark| ClientRoute::read(&Method::GET, "/v1/files", mark);
        assert_eq!(files(true).map(|route| route.family), Some(Family::Anthropic));
        assert_eq!(files(false).map(|route| route.family), Some(Family::Openai));
        assert_eq!(ask(&Method::POST, "/azure/x"), Some((Family::Openai, Ask::Unknown)));
    }

    #[test]
    fn the_name_of_a_model_may_be_escaped() {
        let model = Some((Family::Anthropic, Ask::Model("a/b:c".into())));
        assert_eq!(ask(&Method::GET, "/v1/models/a%2Fb%3ac"), model);
    }
}
