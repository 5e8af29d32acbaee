use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Access, refresh, expiry and when they were obtained, in milliseconds.
type Read = (String, Option<String>, Option<i64>, i64);

fn given(text: &str) -> Result<Read, GivenTokensError> {
    read_given_tokens(text, NOW).map(|tokens| {
        (
            tokens.access.expose().to_owned(),
            tokens.refresh.map(|refresh| refresh.expose().to_owned()),
            tokens.expires_at.map(Timestamp::as_millis),
            tokens.obtained_at.as_millis(),
        )
    })
}

fn pair(expires_at: Option<i64>) -> Read {
    ("a".into(), Some("r".into()), expires_at, NOW.as_millis())
}

#[test]
fn an_expiry_is_understood_in_each_of_its_forms() {
    let expiries = [
        ("1800003600000", 1_800_003_600_000),
        ("1800003600000.0", 1_800_003_600_000),
        ("\"1800003600000\"", 1_800_003_600_000),
        ("1800003600", 1_800_003_600_000),
        ("\" 1800003600 \"", 1_800_003_600_000),
        ("1800003600.5", 1_800_003_600_500),
        ("\"2027-01-15T09:00:00Z\"", 1_800_003_600_000),
        ("\"2027-01-15T10:00:00.250+01:00\"", 1_800_003_600_250),
        ("0", 0),
    ];
    for (text, millis) in expiries {
        let json = format!(r#"{{"access_token":"a","refresh_token":"r","expires_at":{text}}}"#);
        assert_eq!(given(&json), Ok(pair(Some(millis))), "{text}");
    }
    for text in ["-1", "\"soon\"", "true", "1e300", "\"NaN\"", "[1]"] {
        let json = format!(r#"{{"access_token":"a","refresh_token":"r","expires_at":{text}}}"#);
        assert_eq!(given(&json), Err(GivenTokensError::Expiry), "{text}");
    }
    assert_eq!(given(r#"{"access_token":"a","refresh_token":"r"}"#), Ok(pair(None)));
    assert_eq!(
        given(r#"{"access_token":"a","refresh_token":"r","expires_at":null}"#),
        Ok(pair(None))
    );
}

#[test]
fn a_time_in_our_own_form_is_read_and_one_that_is_none_is_refused() {
    let own = |expiry: &str| {
        given(&format!(r#"{{"access_token":"a","obtained_at":5,"expires_at":{expiry}}}"#))
    };
    let read = |millis| Ok(("a".into(), None, Some(millis), 5));
    assert_eq!(own("1800003600"), read(1_800_003_600), "milliseconds, however few");
    assert_eq!(own("\"2027-01-15T09:00:00Z\""), read(1_800_003_600_000));
    assert_eq!(own("\"soon\""), Err(GivenTokensError::Expiry));
}

#[test]
fn the_file_of_claude_code_is_understood() {
    let file = r#"
        {"claudeAiOauth": {"accessToken": "a", "refreshToken": "r", "expiresAt": 1800003600000,
         "scopes": ["user:inference"], "subscriptionType": "max"}}"#;
    assert_eq!(given(file), Ok(pair(Some(1_800_003_600_000))));
    let camel = r#"{"accessToken": " a ", "refreshToken": "r", "expiresAt": 1800003600000}"#;
    assert_eq!(given(camel), Ok(pair(Some(1_800_003_600_000))));
}

#[test]
fn a_lone_refresh_token_makes_a_pair_that_has_ended() {
    let ended = Ok((String::new(), Some("r".into()), Some(NOW.as_millis()), NOW.as_millis()));
    assert_eq!(given(r#"{"refresh_token":"r","expires_at":1900000000000}"#), ended);
    assert_eq!(given(r#"{"access_token":"","refresh_token":"r"}"#), ended);
    let word = concat!("sk-ant-", "ort01-example");
    let (access, refresh, expires_at, _) = given(word).expect("a refresh token");
    assert_eq!((access.as_str(), refresh.as_deref()), ("", Some(word)));
    assert_eq!(expires_at, Some(NOW.as_millis()));
}

#[test]
fn a_bare_word_is_a_setup_token_of_a_year() {
    let token = concat!("sk-ant-", "oat01-example_-A");
    let year_on = NOW.plus(SETUP_TOKEN_LIFE).as_millis();
    let expected = Ok((token.to_owned(), None, Some(year_on), NOW.as_millis()));
    assert_eq!(given(&format!("\n {token} \r\n")), expected);
    assert_eq!(given(&format!("\"{token}\"")), expected);
}

#[test]
fn what_holds_no_token_is_refused_in_words() {
    assert_eq!(given(" \n"), Err(GivenTokensError::Missing));
    assert_eq!(given("{}"), Err(GivenTokensError::Missing));
    assert_eq!(given(r#"{"claudeAiOauth":{}}"#), Err(GivenTokensError::Missing));
    assert_eq!(given(r#"{"access_token":1}"#), Err(GivenTokensError::NotTokens));
    assert_eq!(given("{\"access_token\":"), Err(GivenTokensError::NotTokens));
    assert_eq!(given("two words"), Err(GivenTokensError::NotTokens));
    assert_eq!(given("code#state"), Err(GivenTokensError::NotTokens));
    assert_eq!(given(concat!("sk-ant-", "api03-example")), Err(GivenTokensError::ApiKey));
    assert_eq!(given(&"a".repeat(GIVEN_BYTES_MAX + 1)), Err(GivenTokensError::NotTokens));
}

proptest! {
    #[test]
    fn stored_tokens_come_back_as_they_were(
        access in "[!-~é密]{1,40}",
        refresh in proptest::option::of("[!-~\"\\\\]{1,40}"),
        expires_at in proptest::option::of(any::<i64>()),
        obtained_at in any::<i64>(),
        later in any::<i64>(),
    ) {
        let tokens = Tokens {
            access: Secret::new(access),
            refresh: refresh.map(Secret::new),
            expires_at: expires_at.map(Timestamp::from_millis),
            obtained_at: Timestamp::from_millis(obtained_at),
            client_secret: None,
        };
        let json = tokens_to_json(&tokens);
        prop_assert_eq!(read_given_tokens(json.expose(), Timestamp::from_millis(later)), Ok(tokens));
    }

    #[test]
    fn nothing_that_is_given_makes_it_fail(text in any::<String>(), json in any::<bool>()) {
        let text = if json { format!("{{\"access_token\":\"a\",\"expires_at\":{text}}}") } else { text };
        let _ = read_given_tokens(&text, NOW);
    }
}

fn of(kind: AccountKind, text: &str) -> Result<Granted, GivenTokensError> {
    read_given(kind, text, NOW)
}

#[test]
fn what_codex_keeps_is_taken_with_the_account() {
    let access = claims::token_saying(&json!({"exp": 1_800_003_600}));
    let id_token = claims::token_saying(&json!({
        "email": "a@example.com",
        "https://api.openai.com/auth": {"chatgpt_account_id": "of the token"},
    }));
    let kept = json!({
        "OPENAI_API_KEY": null, "last_refresh": "2027-01-15T08:00:00Z",
        "tokens": {"id_token": id_token, "access_token": access, "refresh_token": "r",
                   "account_id": "acc-1"},
    });
    let given = of(AccountKind::OpenaiOauth, &kept.to_string()).expect("tokens");
    assert_eq!(given.tokens.access.expose(), access);
    assert_eq!(given.tokens.refresh, Some("r".into()));
    assert_eq!(given.tokens.expires_at, Some(Timestamp::from_seconds(1_800_003_600)));
    assert_eq!((&*given.identity.account, &*given.identity.email), ("acc-1", "a@example.com"));
    let stored = tokens_to_json(&given.tokens);
    assert!(!stored.expose().contains(&id_token), "an id token is not kept");
    let again = of(AccountKind::OpenaiOauth, stored.expose()).expect("tokens");
    assert_eq!(again.tokens, given.tokens);
}

#[test]
fn what_gemini_cli_keeps_is_taken_and_an_own_secret_stays() {
    let kept = r#"{"access_token":"a","refresh_token":"1//r","scope":"s","token_type":"Bearer",
                   "expiry_date":1800003600000}"#;
    let given = of(AccountKind::GeminiOauth, kept).expect("tokens").tokens;
    assert_eq!(given.expires_at, Some(Timestamp::from_seconds(1_800_003_600)));
    assert_eq!((given.refresh, given.client_secret), (Some("1//r".into()), None));
    let own = r#"{"client_id":"i","client_secret":"s","refresh_token":"1//r"}"#;
    let own = of(AccountKind::GeminiOauth, own).expect("tokens").tokens;
    assert_eq!(own.client_secret, Some("s".into()));
    let again = of(AccountKind::GeminiOauth, tokens_to_json(&own).expose()).expect("tokens");
    assert_eq!(again.tokens, own);
}

#[test]
fn a_bare_word_of_another_provider_is_no_setup_token() {
    let access = claims::token_saying(&json!({"exp": 1_800_003_600}));
    let given = of(AccountKind::OpenaiOauth, &access).expect("a token").tokens;
    assert_eq!(given.expires_at, Some(Timestamp::from_seconds(1_800_003_600)));
    let refresh = of(AccountKind::GeminiOauth, "1//r").expect("a token").tokens;
    assert_eq!((refresh.refresh, refresh.expires_at), (Some("1//r".into()), Some(NOW)));
    for key in [concat!("sk-", "proj-words"), concat!("AI", "zaWords")] {
        assert_eq!(of(AccountKind::GeminiOauth, key), Err(GivenTokensError::ApiKey), "{key}");
    }
    assert_eq!(of(AccountKind::OpenaiOauth, "two words"), Err(GivenTokensError::NotTokens));
    assert_eq!(of(AccountKind::OpenaiOauth, "{}"), Err(GivenTokensError::Missing));
}
