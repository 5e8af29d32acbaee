//! Whose a sign-in is, and for which Google Cloud project its calls are, where the provider has to be
//! asked for it.

use std::sync::Arc;
use std::time::Duration;

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::credential::Identity;
use relay_core::protocol::Service;
use relay_core::secret::Secret;
use relay_upstream::fault::Fault;
use relay_upstream::oauth::{self, Holder};

use crate::app::App;
use crate::roster::Member;
use crate::tokens;

/// How long a call waits for the project; the question goes on.
const PROJECT_WAIT: Duration = Duration::from_secs(20);

/// How long after a question that brought none the provider is not asked again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What the last question for a project found.
#[derive(Debug)]
pub(super) struct Found {
    /// The version of the credential that it was asked with.
    version: i64,
    at: Timestamp,
    /// None if the provider names none, or did not say.
    project: Option<String>,
}

/// The project that calls of an account are for: the operator's, else that of its sign-in, else what
/// the provider says when it is asked, which is stored. The fault `no_project` says that there is none.
///
/// Every caller that comes while the provider is asked gets what comes of that, and none that leaves
/// cancels it.
pub async fn project(app: &Arc<App>, member: &Arc<Member>) -> Result<String, Fault> {
    if let Some(known) = known(member) {
        return Ok(known);
    }
    let (on, of) = (Arc::clone(app), Arc::clone(member));
    let asked = tokio::spawn(async move { Box::pin(ask(&on, &of)).await });
    match tokio::time::timeout(PROJECT_WAIT, asked).await {
        Ok(Ok(outcome)) => outcome,
        _ => Err(none_before(app.now().plus(ASKED_AGAIN_AFTER))),
    }
}

/// The project, as far as nobody has to be asked.
fn known(member: &Member) -> Option<String> {
    let told = member.identity.as_ref().map(|identity| &identity.project);
    let named = [member.account.project.as_ref(), told].into_iter().flatten();
    named.into_iter().find(|project| !project.is_empty()).cloned()
}

fn none_before(until: Timestamp) -> Fault {
    Fault::without_token("no_project", Some(until))
}

async fn ask(app: &Arc<App>, member: &Arc<Member>) -> Result<String, Fault> {
    let mut last = member.shared.keeper.project.lock().await;
    // A call may hold what the account was before an edit, or before another asked.
    let current = app.roster.find(member.account.id);
    if let Some(known) = current.as_deref().and_then(known) {
        return Ok(known);
    }
    let (now, version) = (app.now(), member.shared.keeper.version());
    if let Some(found) =
        last.as_ref().filter(|found| tokens::is_same_sign_in(found.version, version))
    {
        match &found.project {
            Some(project) => return Ok(project.clone()),
            None if now < found.at.plus(ASKED_AGAIN_AFTER) && found.at <= now => {
                return Err(none_before(found.at.plus(ASKED_AGAIN_AFTER)));
            }
            None => {}
        }
    }
    let member = current.as_ref().unwrap_or(member);
    let access = tokens::secret(app, member).await?;
    let version = member.shared.keeper.version();
    let holder = Holder::new(&member.account, member.identity.as_ref(), &access);
    let project = match oauth::code_assist(&member.client, &holder, now).await {
        Ok(identity) => {
            let project = Some(identity.project.clone()).filter(|project| !project.is_empty());
            note(app, member, version, identity).await;
            project
        }
        Err(error) => {
            tracing::warn!(account = %member.account.name, %error, "no project is told");
            None
        }
    };
    *last = Some(Found { version, at: app.now(), project: project.clone() });
    project.ok_or_else(|| none_before(app.now().plus(ASKED_AGAIN_AFTER)))
}

/// Asks whose a sign-in is; `version` is that of its access token. A sign-in to Code Assist that has
/// no project yet is given one.
pub async fn identify(app: &Arc<App>, member: &Arc<Member>, (version, access): (i64, &Secret)) {
    let holder = Holder::new(&member.account, member.identity.as_ref(), access);
    match oauth::identity(&member.client, &holder, app.now()).await {
        Ok(identity) => {
            note(app, member, version, identity).await;
            if member.account.kind == AccountKind::GeminiOauth {
                // What comes of it is stored and logged where it is known.
                let _ = project(app, member).await;
            }
        }
        Err(error) => {
            tracing::debug!(account = %member.account.name, %error, "no identity is told");
        }
    }
}

/// Stores whose the credential of `version` is. Claude tells all of it at once; of the others each
/// source tells a part, and what one is silent on stays.
pub(super) async fn note(app: &App, member: &Member, version: i64, told: Identity) {
    let id = member.account.id;
    let member = app.roster.find(id);
    let known = member.as_ref().and_then(|member| member.identity.clone()).unwrap_or_default();
    let is_whole = member.is_none_or(|it| it.account.kind.service() == Service::Claude);
    let identity = if is_whole { told } else { oauth::completed(told, &known) };
    if identity == Identity::default() {
        return;
    }
    if let Err(error) = app.store.set_identity(id, version, &identity, app.now()).await {
        tracing::debug!(%error, "an identity was not stored; it is asked for again");
    }
}
