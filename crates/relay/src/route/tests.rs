use super::*;

const NO_MARKS: Marks = Marks { is_anthropic: false, upgrades: false };
const ANTHROPIC: Marks = Marks { is_anthropic: true, upgrades: false };

fn ask(method: &Method, path: &str) -> Option<(Family, Ask)> {
    ClientRoute::read(method, path, ANTHROPIC).map(|route| (route.family, route.ask))
}

/// What a `POST` asks, as `ENDPOINT HOME`.
fn asked(path: &str) -> String {
    match ClientRoute::read(&Method::POST, path, NO_MARKS).map(|route| route.ask) {
        Some(Ask::Upstream(Asked { endpoint, home: Home::Of(service), .. })) => {
            format!("{endpoint:?} {}", service.as_str())
        }
        Some(Ask::Upstream(Asked { endpoint, home: Home::ByModel, .. })) => {
            format!("{endpoint:?} by model")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn every_prefix_of_anthropic_leads_to_the_same_place() {
    for prefix in ["", "/api", "/claude", "/openai/claude", "/api/claude"] {
        let post = |rest: &str| ask(&Method::POST, &format!("{prefix}{rest}"));
        let get = |rest: &str| ask(&Method::GET, &format!("{prefix}{rest}"));
        assert_eq!(asked(&format!("{prefix}/v1/messages")), "Messages claude");
        assert_eq!(asked(&format!("{prefix}//v1//messages/")), "Messages claude");
        assert_eq!(asked(&format!("{prefix}/v1/messages/count_tokens")), "CountTokens claude");
        assert_eq!(post("/v1/messages").map(|it| it.0), Some(Family::Anthropic));
        assert!(matches!(get("/v1/models"), Some((Family::Anthropic, Ask::Models(_)))));
        let one = get("/v1/models/a-b");
        assert!(matches!(one, Some((Family::Anthropic, Ask::Model(_, id))) if id == "a-b"));
        assert_eq!(get("/v1/messages"), Some((Family::Anthropic, Ask::WrongMethod)));
    }
}

#[test]
fn the_path_names_the_pool_or_leaves_it_to_the_model() {
    for (path, expected) in [
        ("/openai/claude/v1/chat/completions", "Chat claude"),
        ("/openai/claude/v1/completions", "Completions claude"),
        ("/openai/gemini/v1/chat/completions", "Chat gemini"),
        ("/openai/v1/chat/completions", "Chat by model"),
        ("/api/v1/chat/completions", "Chat by model"),
        ("/v1/chat/completions", "Chat by model"),
        ("/chat/completions", "Chat by model"),
        ("/v1/completions", "Completions by model"),
        ("/openai/responses", "Responses openai"),
        ("/openai/responses/responses", "Responses openai"),
        ("/openai/v1/responses", "Responses openai"),
        ("/v1/responses", "Responses openai"),
        ("/responses", "Responses openai"),
        ("/openai/responses/compact", "Compact openai"),
        ("/openai/responses/responses/compact", "Compact openai"),
        ("/openai/v1/responses/compact", "Compact openai"),
        ("/openai/v1/embeddings", "Embeddings openai"),
        ("/v1/embeddings", "Embeddings openai"),
        ("/openai/v1/images/generations", "Images openai"),
        ("/v1/images/generations", "Images openai"),
        ("/gemini/v1internal:generateContent", "Generate gemini"),
        ("/gemini/v1internal:countTokens", "CountContents gemini"),
        ("/gemini/v1beta/models/gemini-x:streamGenerateContent", "Generate gemini"),
        ("/gemini/v1/models/gemini-x:embedContent", "Embed gemini"),
        ("/gemini/v1beta/models/gemini-x:batchEmbedContents", "EmbedBatch gemini"),
        ("/v1beta/models/gemini-x:generateContent", "Generate gemini"),
    ] {
        assert_eq!(asked(path), expected, "{path}");
    }
}

#[test]
fn googles_addresses_name_model_and_method() {
    let google = |path| match ClientRoute::read(&Method::POST, path, NO_MARKS)?.ask {
        Ask::Upstream(asked) => asked.google.map(|google| (google.model, google.streamed)),
        _ => None,
    };
    let path = "/gemini/v1beta/models/tuned%2Fa:b:streamGenerateContent";
    assert_eq!(google(path), Some((Some("tuned/a:b".into()), true)));
    assert_eq!(google("/gemini/v1internal:streamGenerateContent"), Some((None, true)));
    assert_eq!(google("/v1internal:generateContent"), Some((None, false)));
    let own = ClientRoute::read(&Method::POST, "/gemini/v1internal:loadCodeAssist", NO_MARKS);
    let expected = Ask::CodeAssist("loadCodeAssist".into());
    assert_eq!(own, Some(ClientRoute { family: Family::Gemini, ask: expected }));
    for unknown in ["/gemini/v1beta/models/:generateContent", "/gemini/v1beta/models/a:batch"] {
        assert_eq!(google(unknown), None, "{unknown}");
    }
}

#[test]
fn responses_alone_can_be_asked_over_a_socket() {
    let upgrade = Marks { upgrades: true, ..NO_MARKS };
    let read = |path| ClientRoute::read(&Method::GET, path, upgrade).map(|route| route.ask);
    for path in ["/openai/responses", "/openai/v1/responses", "/v1/responses"] {
        assert!(matches!(read(path), Some(Ask::Socket(_))), "{path}");
    }
    assert_eq!(read("/openai/v1/chat/completions"), Some(Ask::WrongMethod));
    assert_eq!(read("/v1/messages"), Some(Ask::WrongMethod));
}

#[test]
fn a_shared_address_goes_by_the_clients_marks() {
    let family = |path, marks| ClientRoute::read(&Method::GET, path, marks).map(|it| it.family);
    for path in ["/v1/models", "/api/v1/models", "/openai/claude/v1/models"] {
        assert_eq!(family(path, ANTHROPIC), Some(Family::Anthropic), "{path}");
        assert_eq!(family(path, NO_MARKS), Some(Family::Openai), "{path}");
    }
    assert_eq!(family("/claude/v1/models", NO_MARKS), Some(Family::Anthropic));
    assert_eq!(family("/openai/v1/models", ANTHROPIC), Some(Family::Openai));
    assert_eq!(family("/gemini/v1beta/models", ANTHROPIC), Some(Family::Gemini));
}

#[test]
fn greetings_and_the_unknown_stay_in_their_family() {
    assert_eq!(ask(&Method::HEAD, "/api/"), Some((Family::Anthropic, Ask::Greeting)));
    assert_eq!(ask(&Method::GET, "/claude"), Some((Family::Anthropic, Ask::Greeting)));
    assert_eq!(ask(&Method::HEAD, "/openai"), Some((Family::Openai, Ask::Greeting)));
    assert_eq!(ask(&Method::HEAD, "/gemini/"), Some((Family::Gemini, Ask::Greeting)));
    assert_eq!(ask(&Method::GET, "/"), None);
    assert_eq!(ask(&Method::GET, "/health"), None);
    assert_eq!(ask(&Method::GET, "/apiary/v1/messages"), None);
    assert_eq!(ask(&Method::POST, "/api/v2/x"), Some((Family::Anthropic, Ask::Unknown)));
    assert_eq!(ask(&Method::POST, "/gemini/x"), Some((Family::Gemini, Ask::Unknown)));
    assert_eq!(ask(&Method::POST, "/v1beta/files"), Some((Family::Gemini, Ask::Unknown)));
    let batches = ClientRoute::read(&Method::POST, "/v1/messages/batches", NO_MARKS);
    assert_eq!(batches.map(|route| route.family), Some(Family::Anthropic));
    let files = |marks| ClientRoute::read(&Method::GET, "/v1/files", marks);
    assert_eq!(files(ANTHROPIC).map(|route| route.family), Some(Family::Anthropic));
    assert_eq!(files(NO_MARKS).map(|route| route.family), Some(Family::Openai));
    assert_eq!(ask(&Method::POST, "/azure/x"), Some((Family::Openai, Ask::Unknown)));
}

#[test]
fn the_name_of_a_model_may_be_escaped() {
    let one = ask(&Method::GET, "/v1/models/a%2Fb%3ac");
    assert!(matches!(one, Some((_, Ask::Model(_, id))) if id == "a/b:c"));
}
