//! Which address means what: a pure reading of method and path.

use http::Method;
use percent_encoding::percent_decode_str;
use relay_core::endpoint::Endpoint;
use relay_core::protocol::{Family, Service};

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Something that accounts are asked.
    Upstream(Asked),
    /// The same, each message of a WebSocket anew.
    Socket(Asked),
    /// What Gemini CLI wants to know of its account before it asks, by the name of the method.
    CodeAssist(String),
    /// The models that the key may use, of these accounts.
    Models(Home),
    /// One of them.
    Model(Home, String),
    /// A sign of life under a family's prefix: some clients send `HEAD` before they call.
    Greeting,
    /// An address that does not exist.
    Unknown,
    /// An address that exists, asked with a method that it does not have.
    WrongMethod,
}

/// What accounts are asked, as far as the address tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub endpoint: Endpoint,
    /// Whose accounts.
    pub home: Home,
    /// What Google's addresses say beside.
    pub google: Option<Google>,
}

/// Whose accounts an address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// Those of one service.
    Of(Service),
    /// Those that have the model.
    ByModel,
}

/// What an address of Google's says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Google {
    /// The model; `None` where it stands in the envelope of Code Assist.
    pub model: Option<String>,
    /// Whether the answer is to be streamed.
    pub streamed: bool,
}

/// A client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRoute {
    /// The shape of errors.
    pub family: Family,
    /// What is asked for.
    pub ask: Ask,
}

/// Which addresses stand under a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// Those of Anthropic alone.
    Anthropic,
    /// Those of Anthropic, and Chat by model.
    Api,
    /// Those of Anthropic, and of OpenAI's Chat on the same accounts.
    AnthropicAndChat,
    /// Chat on Google's accounts.
    ChatOnGemini,
    /// Those of OpenAI.
    Openai,
    /// Those of Google.
    Google,
    /// All that are standard.
    Root,
}

/// Prefixes, the longest first.
const PREFIXES: [(&str, Branch); 8] = [
    ("/openai/claude", Branch::AnthropicAndChat),
    ("/openai/gemini", Branch::ChatOnGemini),
    ("/api/claude", Branch::Anthropic),
    ("/api", Branch::Api),
    ("/claude", Branch::Anthropic),
    ("/openai", Branch::Openai),
    ("/gemini", Branch::Google),
    ("", Branch::Root),
];

/// Prefixes of what there is elsewhere and not here: told so in the family's shape.
const NOT_HERE: [&str; 2] = ["/azure", "/droid"];

/// What a request's head says beside method and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// It bears a header that Anthropic's clients send.
    pub is_anthropic: bool,
    /// It wants to become a WebSocket.
    pub upgrades: bool,
}

impl ClientRoute {
    /// Reads a client's address; `None` is an address of the relay itself or of nobody.
    ///
    /// Repeated slashes count as one, since a base URL with a trailing slash leads to them, and a
    /// trailing slash counts as none.
    pub fn read(method: &Method, path: &str, marks: Marks) -> Option<Self> {
        let path = collapse(path);
        if NOT_HERE.iter().any(|prefix| rest_of(&path, prefix).is_some()) {
            let claude = rest_of(&path, "/droid/claude").is_some() && marks.is_anthropic;
            let family = if claude { Family::Anthropic } else { Family::Openai };
            return Some(Self { family, ask: Ask::Unknown });
        }
        let (rest, branch) = PREFIXES
            .iter()
            .find_map(|(prefix, branch)| Some((rest_of(&path, prefix)?, *branch)))?;
        branch.read(method, rest, marks)
    }
}

fn rest_of<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Branch {
    fn read(self, method: &Method, rest: &str, marks: Marks) -> Option<ClientRoute> {
        let route = |family, ask| Some(ClientRoute { family, ask });
        let is_get = matches!(*method, Method::GET | Method::HEAD);
        if rest.is_empty() && self != Self::Root {
            let ask = if is_get { Ask::Greeting } else { Ask::Unknown };
            return route(self.family(rest, marks), ask);
        }
        if let Some(asked) = self.asked(rest) {
            let family = family_of(asked.endpoint);
            let speaks_socket = asked.endpoint == Endpoint::Responses;
            return route(
                family,
                match *method {
                    Method::POST => Ask::Upstream(asked),
                    Method::GET if marks.upgrades && speaks_socket => Ask::Socket(asked),
                    _ => Ask::WrongMethod,
                },
            );
        }
        if let Some(ask) = self.models(rest) {
            let family = self.family(rest, marks);
            // Methods of Google's that are not served stand behind a colon.
            let other = if rest.contains(':') { Ask::Unknown } else { Ask::WrongMethod };
            return route(family, if is_get { ask } else { other });
        }
        if let Some(name) = rest.strip_prefix("/v1internal:").filter(|_| self.has_google()) {
            let ask = if *method == Method::POST {
                Ask::CodeAssist(name.to_owned())
            } else {
                Ask::WrongMethod
            };
            return route(Family::Gemini, ask);
        }
        let is_ours = self != Self::Root || is_standard(rest);
        is_ours.then(|| ClientRoute { family: self.family(rest, marks), ask: Ask::Unknown })
    }

    /// Whose accounts the addresses of a branch lead to.
    const fn home(self, by_model: bool) -> Home {
        match self {
            Self::AnthropicAndChat => Home::Of(Service::Claude),
            Self::ChatOnGemini | Self::Google => Home::Of(Service::Gemini),
            _ if by_model => Home::ByModel,
            Self::Anthropic | Self::Api | Self::Root => Home::Of(Service::Claude),
            Self::Openai => Home::Of(Service::Openai),
        }
    }

    const fn has_google(self) -> bool {
        matches!(self, Self::Google | Self::Root)
    }

    /// The shape of what is no call.
    fn family(self, rest: &str, marks: Marks) -> Family {
        let marked = |rest: &str| marks.is_anthropic || rest.starts_with("/v1/messages");
        let is_google = |rest: &str| rest.starts_with("/v1beta") || rest.starts_with("/v1internal");
        match self {
            Self::Google => Family::Gemini,
            Self::Root if is_google(rest) => Family::Gemini,
            Self::ChatOnGemini | Self::Openai => Family::Openai,
            Self::Anthropic => Family::Anthropic,
            Self::Api if !rest.starts_with("/v1/models") => Family::Anthropic,
            _ if marked(rest) => Family::Anthropic,
            _ => Family::Openai,
        }
    }

    fn asked(self, rest: &str) -> Option<Asked> {
        let plain = |endpoint, home| Some(Asked { endpoint, home, google: None });
        let openai = Home::Of(Service::Openai);
        match (self, rest) {
            (Self::Google, _) => google(rest),
            (Self::Openai | Self::ChatOnGemini, "/v1/messages" | "/v1/messages/count_tokens") => {
                None
            }
            (_, "/v1/messages") => plain(Endpoint::Messages, self.home(false)),
            (_, "/v1/messages/count_tokens") => plain(Endpoint::CountTokens, self.home(false)),
            (Self::Anthropic, _) => None,
            (_, "/v1/chat/completions") => plain(Endpoint::Chat, self.home(true)),
            (Self::Api, _) => None,
            (_, "/v1/completions") => plain(Endpoint::Completions, self.home(true)),
            (Self::AnthropicAndChat | Self::ChatOnGemini, _) => None,
            (_, "/chat/completions") => plain(Endpoint::Chat, self.home(true)),
            (_, "/v1/embeddings") => plain(Endpoint::Embeddings, openai),
            (_, "/v1/images/generations") => plain(Endpoint::Images, openai),
            (_, "/responses" | "/v1/responses" | "/responses/responses") => {
                plain(Endpoint::Responses, openai)
            }
            (
                _,
                "/responses/compact" | "/v1/responses/compact" | "/responses/responses/compact",
            ) => plain(Endpoint::Compact, openai),
            (_, "/v1/responses/input_tokens") => plain(Endpoint::CountInput, openai),
            (Self::Root, _) => google(rest).filter(|_| !rest.starts_with("/v1/")),
            (Self::Openai, _) => None,
        }
    }

    fn models(self, rest: &str) -> Option<Ask> {
        let home = self.home(self == Self::Root);
        let versions: &[&str] = match self {
            Self::Google => &["/v1beta/models", "/v1/models"],
            Self::Openai => &["/v1/models", "/models"],
            Self::Root => &["/v1/models", "/v1beta/models"],
            _ => &["/v1/models"],
        };
        versions.iter().find_map(|version| {
            let home = if *version == "/v1beta/models" { Home::Of(Service::Gemini) } else { home };
            let id = rest.strip_prefix(version)?;
            if id.is_empty() {
                return Some(Ask::Models(home));
            }
            let id = id.strip_prefix('/').filter(|id| !id.is_empty())?;
            Some(Ask::Model(home, decoded(id)))
        })
    }
}

/// The family of clients that ask so.
const fn family_of(endpoint: Endpoint) -> Family {
    use relay_core::protocol::Protocol;
    match endpoint.protocol() {
        Protocol::Messages => Family::Anthropic,
        Protocol::Chat | Protocol::Responses => Family::Openai,
        Protocol::Gemini => Family::Gemini,
    }
}

/// Google's addresses: `/v1beta/models/MODEL:METHOD`, and Code Assist's `/v1internal:METHOD`.
fn google(rest: &str) -> Option<Asked> {
    let asked = |model: Option<String>, method: &str| {
        let endpoint = match method {
            "generateContent" | "streamGenerateContent" => Endpoint::Generate,
            "countTokens" => Endpoint::CountContents,
            "embedContent" if model.is_some() => Endpoint::Embed,
            "batchEmbedContents" if model.is_some() => Endpoint::EmbedBatch,
            _ => return None,
        };
        let streamed = method == "streamGenerateContent";
        let home = Home::Of(Service::Gemini);
        Some(Asked { endpoint, home, google: Some(Google { model, streamed }) })
    };
    if let Some(method) = rest.strip_prefix("/v1internal:") {
        return asked(None, method);
    }
    let versions = ["/v1beta/models/", "/v1/models/"];
    let named = versions.iter().find_map(|version| rest.strip_prefix(version))?;
    let (model, method) = named.rsplit_once(':')?;
    asked(Some(decoded(model)).filter(|model| !model.is_empty()), method)
        .filter(|asked| asked.google.as_ref().is_some_and(|google| google.model.is_some()))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether an address at the root is one of an AI provider's, so that it gets an error in a family's
/// shape.
fn is_standard(rest: &str) -> bool {
    ["/v1/", "/v1beta/", "/v1internal", "/responses", "/chat/"]
        .iter()
        .any(|start| rest.starts_with(start))
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
mod tests;
