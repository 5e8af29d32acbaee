//! What is set for everybody who looks at the page; and what the relay was started with.

mod running;

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::running::{Running, running};
use super::answer::{Change, Done, Note, Problem, Read};
use super::given::Given;
use super::guard::Who;
use crate::verbs::key::BUILT_IN_CLIENTS;
use crate::verbs::setting::{self, Part, Site};

/// The addresses of settings.
pub(super) fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(show, edit))
}

/// What is set.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Settings)]
struct SettingsView {
    /// What the page is called; empty if it has no name of its own.
    title: String,
    /// Its picture: an address with https://, or one written as `data:image/png;base64,…`.
    logo: String,
    /// What everybody is to be told.
    notice: String,
    /// What the relay was started with; it is changed where it came from, for the next start.
    running: Vec<Running>,
    /// The clients that are told apart.
    clients: Vec<ClientView>,
}

/// A client that is told apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnownClient)]
struct ClientView {
    /// Its id, as rules take it.
    id: String,
    /// What people call it.
    name: String,
    /// A note for people.
    description: String,
    /// The expression that its user-agent matches, where it was described in crs.toml.
    user_agent: Option<String>,
    /// Whether it is known without any setting.
    built_in: bool,
}

/// What is to be set; what is left out stays, and what is empty is taken away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsEdit)]
struct Edit {
    /// What the page is called; at most 80 characters.
    #[serde(default)]
    title: Option<String>,
    /// Its picture: an address with https://, or one written as `data:image/png;base64,…`, at most
    /// 64 KiB.
    #[serde(default)]
    logo: Option<String>,
    /// What everybody is to be told; at most 2,000 characters.
    #[serde(default)]
    notice: Option<String>,
}

/// What is set for everybody, and what the relay was started with.
#[utoipa::path(get, path = "/admin/settings", tag = "settings", operation_id = "settings_show",
    responses((status = 200, body = SettingsView)))]
async fn show(who: Who) -> Read<SettingsView> {
    let site = setting::site(&who.app.store).await?;
    Ok(Json(view(&who, site)))
}

/// Changes what is set for everybody.
#[utoipa::path(patch, path = "/admin/settings", tag = "settings", operation_id = "settings_edit",
    request_body = Edit,
    responses((status = 200, body = SettingsView), (status = 400, body = Problem)))]
async fn edit(who: Who, Given(given): Given<Edit>) -> Change<SettingsView> {
    let named =
        [(Part::Title, given.title), (Part::Logo, given.logo), (Part::Notice, given.notice)];
    let mut parts = Vec::new();
    for (part, text) in named {
        let Some(text) = text else { continue };
        let checked = setting::checked(part, &text);
        parts.push((part, checked.map_err(|error| Problem::from(error).at(part.as_str()))?));
    }
    let app = &who.app;
    let site = setting::set_site(&app.store, &parts, who.now()).await?;
    let _ = app.edits.known(&app.store).await;
    let told = parts.iter().map(|(part, value)| match part {
        // A picture is no words.
        Part::Logo if value.starts_with("data:") => "logo: a picture".to_owned(),
        _ => format!("{}: {value}", part.as_str()),
    });
    let note = Note::of("", "").with(told.collect::<Vec<_>>().join(", "));
    Ok(Done { note, answer: view(&who, site) })
}

fn view(who: &Who, Site { title, logo, notice }: Site) -> SettingsView {
    let settings = &who.app.settings;
    let names = ["Claude Code", "Gemini CLI", "Codex"];
    let built_in = BUILT_IN_CLIENTS.iter().zip(names).map(|(id, name)| ClientView {
        id: (*id).to_owned(),
        name: name.to_owned(),
        description: String::new(),
        user_agent: None,
        built_in: true,
    });
    let own = settings.clients.own().iter().map(|client| ClientView {
        id: client.id.to_string(),
        name: client.name.clone(),
        description: client.description.clone(),
        user_agent: Some(client.user_agent.as_str().to_owned()),
        built_in: false,
    });
    let clients = built_in.chain(own).collect();
    SettingsView { title, logo, notice, running: running(settings), clients }
}
