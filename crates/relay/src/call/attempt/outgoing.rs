//! A call as one account gets it, and how its answer gets back.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use relay_core::account::{Account, AccountKind};
use relay_core::endpoint::Endpoint;
use relay_core::payload::PayloadRule;
use relay_upstream::profile;
use relay_wire::edit::{self, EditError, Missing};
use relay_wire::gemini::envelope::{self, Envelope, count_for_api, count_for_code_assist};
use relay_wire::hub::DecodeError;
use relay_wire::splice;
use relay_wire::translate::{self, Asker, Host, Target};

use super::WholeReply;
use crate::app::App;
use crate::call::descent::WayBack;
use crate::call::{Call, Form, missing};
use crate::failure::{CallerFault, Failure};

/// A call as one account gets it.
pub(super) struct Outgoing {
    /// What the account is asked.
    pub(super) asked: Endpoint,
    /// Where, under its base URL.
    pub(super) path: Cow<'static, str>,
    /// The query that belongs to it; else the client's own goes along.
    pub(super) query: Option<Cow<'static, str>>,
    /// The body.
    pub(super) body: Bytes,
    /// Whether the answer is asked for as a stream.
    pub(super) streamed: bool,
    /// How the answer gets back.
    pub(super) back: WayBack,
}

/// Why an account cannot be sent a call as it is.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The account's rules do not fit the body.
    Rules(EditError),
    /// The body cannot be told in the account's protocol.
    Translation(DecodeError),
    /// Nothing of the account's is what is asked.
    Endpoint,
}

impl From<EditError> for Unfit {
    fn from(error: EditError) -> Self {
        Self::Rules(error)
    }
}

impl From<DecodeError> for Unfit {
    fn from(error: DecodeError) -> Self {
        Self::Translation(error)
    }
}

/// The call for an account: with the model's name as that knows it, in the protocol that it speaks,
/// and with what its rules change. The body is untouched if there is nothing of these.
pub(super) fn outgoing(
    app: &App,
    call: &Call,
    (account, project): (&Account, &str),
    body: Bytes,
) -> Result<Outgoing, Unfit> {
    let asked = profile::asked(account, call.endpoint).ok_or(Unfit::Endpoint)?;
    let model = account.upstream_model(&call.model).unwrap_or(&call.model);
    let streamed = call.streamed || profile::only_streams(account.kind, asked);
    let (path, query) = profile::path(account.kind, asked, (model, streamed));
    let id = call.id.to_string();
    let (body, back) = if asked == call.endpoint {
        native(call, (account, project), (model, &id), body)?
    } else {
        let client =
            Asker { endpoint: call.endpoint, call: &id, now: app.now().as_millis() / 1_000 };
        let target = Target { endpoint: asked, model, streamed, host: host(account.kind) };
        let told = translate::request(client, target, &body)?;
        let body = match account.kind {
            AccountKind::GeminiOauth if asked == Endpoint::Generate => {
                enveloped(&id, model, project).wrap(&told.body)
            }
            AccountKind::GeminiOauth => count_for_code_assist(&told.body, model),
            _ => told.body,
        };
        (Bytes::from(body), WayBack::Translated(Box::new(told.back)))
    };
    let is_own = asked == call.endpoint && query.is_none();
    let query = match query {
        Some(query) => Some(Cow::Borrowed(query)),
        None if is_own => call.query.clone().map(Cow::Owned),
        None => None,
    };
    let changed = if account.payload.is_empty() {
        None
    } else {
        edit::apply(&body, &account.payload, missing(call.endpoint))?
    };
    Ok(Outgoing { asked, path, query, body: changed.unwrap_or(body), streamed, back })
}

const fn host(kind: AccountKind) -> Host {
    match kind {
        AccountKind::OpenaiOauth => Host::ChatGpt,
        AccountKind::GeminiOauth => Host::CodeAssist,
        _ => Host::Api,
    }
}

fn enveloped<'a>(turn: &'a str, model: &'a str, project: &'a str) -> Envelope<'a> {
    let project = Some(project).filter(|project| !project.is_empty());
    Envelope { model, project, user_prompt_id: turn }
}

/// The body for an account that speaks what the client does.
fn native(
    call: &Call,
    (account, project): (&Account, &str),
    (model, id): (&str, &str),
    body: Bytes,
) -> Result<(Bytes, WayBack), Unfit> {
    let same = |body| Ok((body, WayBack::Same));
    match (&call.form, account.kind) {
        (Form::Named(span), kind) => {
            let body = named(&body, span.clone(), model, &call.model);
            if kind == AccountKind::OpenaiOauth && call.endpoint == Endpoint::Responses {
                let back = if call.streamed { WayBack::Same } else { WayBack::Collected };
                return Ok((for_chatgpt(call, body)?, back));
            }
            same(body)
        }
        (Form::Chat { model: span, usage: None }, _) => {
            same(named(&body, span.clone(), model, &call.model))
        }
        (Form::Chat { model: span, usage: Some(usage) }, _) => {
            // What stands later in the body goes first, so that the other's place stays true.
            let body = if usage.span.start > span.start {
                named(&usage.apply(&body), span.clone(), model, &call.model)
            } else {
                usage.apply(&named(&body, span.clone(), model, &call.model))
            };
            Ok((body, WayBack::WithoutUsage))
        }
        (Form::Google, AccountKind::GeminiOauth) if call.endpoint.only_counts() => {
            same(count_for_code_assist(&body, model).into())
        }
        (Form::Google, AccountKind::GeminiOauth) => {
            Ok((enveloped(id, model, project).wrap(&body).into(), WayBack::Unwrapped))
        }
        (Form::Google, _) if model == call.asked => same(body),
        (Form::Google, _) => same(envelope::renamed(&body, model)),
        (Form::Enveloped(place), AccountKind::GeminiOauth) => {
            same(place.addressed(&body, (model, &call.model), project))
        }
        (Form::Enveloped(place), _) if call.endpoint.only_counts() => {
            same(count_for_api(&place.request(&body)).into())
        }
        (Form::Enveloped(place), _) => Ok((place.request(&body), WayBack::Wrapped)),
    }
}

/// The body with another name of the model, if the account knows it by another.
fn named(body: &Bytes, span: std::ops::Range<usize>, model: &str, asked: &str) -> Bytes {
    if model == asked {
        return body.clone();
    }
    splice::replace(body, span, splice::json_string(model).as_bytes())
}

/// The upstream of ChatGPT subscriptions takes streams alone that it does not store, and leaves the
/// limit of the output to itself: one that a rule of the key has added would be refused.
fn for_chatgpt(call: &Call, body: Bytes) -> Result<Bytes, EditError> {
    let set = |path: &str, json: &str| {
        path.parse().ok().map(|path| PayloadRule::Set { path, json: json.to_owned() })
    };
    let mut rules: Vec<PayloadRule> =
        [set("stream", "true"), set("store", "false")].into_iter().flatten().collect();
    if call.holder.key.rules.output_tokens_max.is_some()
        && let Ok(path) = "max_output_tokens".parse()
    {
        rules.push(PayloadRule::Drop { path });
    }
    Ok(edit::apply(&body, &rules, Missing::Add)?.unwrap_or(body))
}

/// The answer to a call that an account cannot be sent. It is told as an upstream's own refusal would
/// be: the body is its cause, so no account rests for it.
pub(super) fn refused(call: &Call, unfit: Unfit) -> WholeReply {
    let fault = match unfit {
        Unfit::Rules(error) => CallerFault::from(error),
        Unfit::Translation(DecodeError::NotStored(missing)) => CallerFault::NotStored(missing),
        Unfit::Translation(error) => CallerFault::Malformed(error.to_string()),
        Unfit::Endpoint => {
            CallerFault::Malformed("no account of this kind can be asked this".to_owned())
        }
    };
    let face = Failure::from(fault).face(call.family);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-should-retry", HeaderValue::from_static("false"));
    let body = face.body(call.family, &call.id.to_string());
    WholeReply { status: face.status, headers, body: body.into(), metered: None }
}
