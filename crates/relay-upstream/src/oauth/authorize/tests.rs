use proptest::prelude::*;
use relay_core::account::{AccountKind, OauthSettings};

use super::super::{Flow, endpoints};
use super::*;

fn pkce() -> Pkce {
    Pkce::new([7; 32], [9; 32])
}

fn page(authorize_url: &str) -> Endpoints {
    let settings =
        OauthSettings { authorize_url: Some(authorize_url.into()), ..OauthSettings::default() };
    endpoints(AccountKind::ClaudeOauth, &settings, Flow::Subscription)
}

fn code(text: &str) -> Result<String, PastedCodeError> {
    pasted_code(text, &pkce()).map(|code| code.expose().to_owned())
}

#[test]
fn the_challenge_is_the_one_of_the_standard() {
    // RFC 7636, appendix B.
    let octets = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];
    let pkce = Pkce::new(octets, [0; 32]);
    assert_eq!(pkce.verifier().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_eq!(format!("{pkce:?}"), "Pkce(…)");
}

#[test]
fn the_address_says_all_that_the_page_wants_to_know() {
    let endpoints =
        endpoints(AccountKind::ClaudeOauth, &OauthSettings::default(), Flow::Subscription);
    let pkce = pkce();
    let expected = format!(
        "https://claude.ai/oauth/authorize?code=true\
         &client_id=9d1c250a-e61b-44d9-88ed-5944d1962f5e&response_type=code\
         &redirect_uri=https%3A%2F%2Fplatform.claude.com%2Foauth%2Fcode%2Fcallback\
         &scope=org%3Acreate_api_key%20user%3Aprofile%20user%3Ainference\
         &code_challenge={}&code_challenge_method=S256&state={}",
        pkce.challenge(),
        pkce.state(),
    );
    assert_eq!(authorize_url(&endpoints, &pkce), expected);
}

#[test]
fn the_pages_own_query_stays_but_for_what_is_set_here() {
    let url = authorize_url(&page("http://127.0.0.1:9/go?theme=dark&st%61te=x&&b"), &pkce());
    assert!(url.starts_with("http://127.0.0.1:9/go?theme=dark&b&code=true&client_id="), "{url}");
    assert_eq!(url.matches("state=").count(), 1);
    let url = authorize_url(&page("http://127.0.0.1:9/go?#top"), &pkce());
    assert!(url.starts_with("http://127.0.0.1:9/go?code=true&") && url.ends_with("#top"), "{url}");
}

#[test]
fn a_code_is_found_however_it_was_copied() {
    let state = pkce().state().to_owned();
    let pastes = [
        "abc-1".to_owned(),
        format!("abc-1#{state}"),
        format!(" \"abc-1#{state}\"\r\n"),
        format!("“abc-1#{state}”"),
        format!("abc-1#{}\n  {}", &state[..20], &state[20..]),
        format!("abc-1&state={state}"),
        format!("abc-1#state={state}&x=y"),
        format!("code=abc-1&state={state}"),
        format!("?state={state}&code=abc-1"),
        format!("https://host/callback?code=abc-1&state={state}"),
        format!("<https://host/callback?x=1&code=abc%2D1&state={state}#>"),
        format!("https://host/callback?code=abc-1%23{state}"),
        format!("https://host/callback?code=abc-1#{state}"),
        "https://host/callback?code=abc-1".to_owned(),
        "abc-1#".to_owned(),
    ];
    for paste in pastes {
        assert_eq!(code(&paste), Ok("abc-1".into()), "{paste}");
    }
}

#[test]
fn another_sign_ins_code_is_told_apart() {
    for paste in ["abc#other", "abc&state=other", "https://h/c?code=abc&state=other", "abc#a#b"] {
        assert_eq!(code(paste), Err(PastedCodeError::OtherSignIn), "{paste}");
    }
}

#[test]
fn what_is_no_code_is_said_to_be_none() {
    for paste in ["", "  ", "\"\"", "#", "https://host/callback", "https://host/c?state=x", "code="]
    {
        assert_eq!(code(paste), Err(PastedCodeError::NoCode), "{paste}");
    }
    assert_eq!(code("код"), Err(PastedCodeError::NotACode));
    assert_eq!(code(&"a".repeat(PASTED_BYTES_MAX + 1)), Err(PastedCodeError::NotACode));
    let refused = "https://h/c?error=access_denied&error_description=The+person%20said%20no";
    let said = "access_denied: The person said no";
    assert_eq!(code(refused), Err(PastedCodeError::Refused(said.into())));
}

proptest! {
    #[test]
    fn nothing_that_is_pasted_makes_it_fail(text in any::<String>()) {
        let _ = code(&text);
    }

    #[test]
    fn every_code_comes_through_every_form(word in "[A-Za-z0-9_.~-]{1,80}", form in 0_usize..4) {
        let state = pkce().state().to_owned();
        let paste = match form {
            0 => format!("{word}#{state}"),
            1 => format!("{word}&state={state}"),
            2 => format!("https://host/callback?code={word}&state={state}"),
            _ => format!("  '{word}'\n"),
        };
        prop_assert_eq!(code(&paste), Ok(word));
    }
}

#[test]
fn each_page_is_told_what_it_alone_wants_to_know() {
    let address = |kind| {
        authorize_url(&endpoints(kind, &OauthSettings::default(), Flow::Subscription), &pkce())
    };
    let openai = address(AccountKind::OpenaiOauth);
    assert!(openai.starts_with("https://auth.openai.com/oauth/authorize?"), "{openai}");
    for pair in [
        "id_token_add_organizations=true",
        "codex_cli_simplified_flow=true",
        "code_challenge_method=S256",
        "redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback",
    ] {
        assert!(openai.contains(pair), "{pair}: {openai}");
    }
    assert!(!openai.contains("code=true"), "{openai}");
    let google = address(AccountKind::GeminiOauth);
    assert!(google.contains("access_type=offline&prompt=consent"), "{google}");
}

#[test]
fn the_whole_address_that_codex_is_sent_to_has_the_code() {
    let state = pkce().state().to_owned();
    let pasted = format!("http://localhost:1455/auth/callback?code=ac_1.x&scope=a+b&state={state}");
    assert_eq!(code(&pasted), Ok("ac_1.x".into()));
    assert_eq!(code("ac_1.x"), Ok("ac_1.x".into()));
    let other = "http://localhost:1455/auth/callback?code=ac_1.x&state=other";
    assert_eq!(code(other), Err(PastedCodeError::OtherSignIn));
}
