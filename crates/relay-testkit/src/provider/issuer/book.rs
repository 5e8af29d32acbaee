//! The issuer's books: who is logged in, with which tokens, and what came of their refreshes.
//! Nothing here waits or knows the time; the caller brings it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use relay_core::clock::Timestamp;
use serde_json::Value;

use super::browser::Authorization;
use super::identity::{Realm, id_token};
use super::seen::{IssuedTokens, RefreshOutcome, RefreshSeen};

/// What the text of every access token begins with.
pub(super) const ACCESS_PREFIX: &str = "access-";
/// The scope of a token that can be used for calls alone, and never refreshed.
pub(super) const SETUP_SCOPE: &str = "user:inference";
/// The scope of a login that a test makes without a browser.
const FULL_SCOPE: &str = "user:inference user:profile";
/// The error of a refresh token that was used before.
pub(super) const REUSED: &str = "refresh_token_reused";
/// How long access tokens of an owner live of whom nothing else was said.
const USUAL_LIFETIME: Duration = Duration::from_hours(8);
/// How long a setup token lives that is issued without a browser.
const SETUP_LIFETIME: Duration = Duration::from_hours(365 * 24);

/// New tokens as they are told to the client.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) realm: Realm,
    pub(super) owner: String,
    pub(super) scope: String,
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) lifetime: Duration,
    pub(super) expires_at: Timestamp,
}

/// What is done about a refresh.
#[derive(Debug)]
pub(super) enum Turn {
    Granted(Grant),
    /// Rotated, and the answer is not to arrive.
    Lost,
    Failed(u16),
    Refused(Refusal),
}

/// An error of OAuth: its code and its description.
pub(super) type Refusal = (&'static str, &'static str);

/// What refreshes of an owner suffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum RefreshScript {
    /// The next one rotates, and its answer is lost.
    LosesNext,
    /// All are refused.
    Refuses,
    /// All are answered with this status.
    Fails(u16),
}

/// All that an issuer knows.
#[derive(Debug, Default)]
pub(in crate::provider) struct Book {
    serial: u64,
    logins: Vec<Login>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    codes: HashMap<String, Code>,
    owners: HashMap<String, Owner>,
    refreshes: Vec<RefreshSeen>,
    /// Refreshes that were seen and are no longer listed.
    forgotten: usize,
    reused: usize,
    pub(in crate::provider) only_claude_code: bool,
}

/// What is kept of an owner beside logins.
#[derive(Debug, Default)]
pub(in crate::provider) struct Owner {
    pub(in crate::provider) lifetime: Option<Duration>,
    pub(in crate::provider) script: Option<RefreshScript>,
    pub(in crate::provider) profile: Option<Value>,
    pub(in crate::provider) usage: Option<Value>,
    pub(in crate::provider) profiles_read: usize,
    pub(in crate::provider) usages_read: usize,
}

#[derive(Debug)]
struct Login {
    realm: Realm,
    owner: String,
    scope: String,
    /// Who must come to refresh it; anybody, if it was made without a browser.
    client_id: Option<String>,
    revoked: bool,
}

#[derive(Debug)]
struct Access {
    login: usize,
    expires_at: Timestamp,
    revoked: bool,
}

#[derive(Debug)]
struct Refresh {
    login: usize,
    used: bool,
}

#[derive(Debug)]
struct Code {
    owner: String,
    authorization: Authorization,
}

/// What an exchange brings for a code.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) code: &'a str,
    pub(super) client_id: &'a str,
    pub(super) redirect_uri: &'a str,
    /// What it brings of it; only Claude's brings it.
    pub(super) state: &'a str,
    /// What the verifier hashes to.
    pub(super) challenge: &'a str,
    /// The lifetime that it asks for.
    pub(super) lifetime: Option<Duration>,
}

impl Book {
    /// A new login, made without a browser.
    pub(in crate::provider) fn issue(
        &mut self,
        (realm, owner): (Realm, &str),
        lifetime: Duration,
        now: Timestamp,
    ) -> IssuedTokens {
        self.owner(owner).lifetime = Some(lifetime);
        let login = self.log_in((realm, owner), FULL_SCOPE, None);
        let grant = self.grant(login, None, now);
        IssuedTokens {
            id_token: id_token(&grant, now).unwrap_or_default(),
            access_token: grant.access_token,
            refresh_token: grant.refresh_token.expect("a full login can be refreshed"),
            expires_at_millis: grant.expires_at.as_millis(),
        }
    }

    /// A new login that is one long-lived token.
    pub(in crate::provider) fn issue_setup(&mut self, owner: &str, now: Timestamp) -> String {
        let login = self.log_in((Realm::Claude, owner), SETUP_SCOPE, None);
        self.grant(login, Some(SETUP_LIFETIME), now).access_token
    }

    /// A code for `owner`, who agreed.
    pub(in crate::provider) fn agree(&mut self, owner: &str, agreed: Authorization) -> String {
        let code = format!("code-{owner}-{:06}", self.next_serial());
        let pasted = format!("{code}#{}", agreed.state);
        self.codes.insert(code, Code { owner: owner.to_owned(), authorization: agreed });
        pasted
    }

    /// A login for a code, which is used up by it.
    pub(super) fn exchange(
        &mut self,
        realm: Realm,
        ask: &Exchange<'_>,
        now: Timestamp,
    ) -> Result<Grant, Refusal> {
        let unknown = ("invalid_grant", "Invalid authorization code");
        let agreed = &self.codes.get(ask.code).ok_or(unknown)?.authorization;
        let checks = [
            (ask.client_id == agreed.client_id, "client_id does not match"),
            (ask.redirect_uri == agreed.redirect_uri, "redirect_uri does not match"),
            (realm != Realm::Claude || ask.state == agreed.state, "state does not match"),
            (ask.challenge == agreed.challenge, "code_verifier does not match"),
        ];
        if let Some((_, mistake)) = checks.iter().find(|(fits, _)| !fits) {
            return Err(("invalid_grant", mistake));
        }
        let Code { owner, authorization: agreed } = self.codes.remove(ask.code).ok_or(unknown)?;
        let login = self.log_in((realm, &owner), &agreed.scope, Some(agreed.client_id));
        let lifetime = ask.lifetime.filter(|_| agreed.scope == SETUP_SCOPE);
        Ok(self.grant(login, lifetime, now))
    }

    /// What comes of a refresh with this token. A token that was used before ends the login;
    /// Google's may be used again and again.
    pub(super) fn refresh(
        &mut self,
        (realm, token): (Realm, &str),
        client_id: &str,
        now: Timestamp,
    ) -> Turn {
        let unknown = Turn::Refused(("invalid_grant", "Refresh token not found or invalid"));
        let owner = self.owner_of_refresh(token).to_owned();
        let script = self.owners.get(&owner).and_then(|owner| owner.script);
        if let Some(RefreshScript::Fails(status)) = script {
            return Turn::Failed(status);
        }
        let Some(refresh) = self.refresh.get_mut(token) else { return unknown };
        let login = &mut self.logins[refresh.login];
        if login.realm != realm {
            return unknown;
        }
        if refresh.used {
            self.reused += 1;
            login.revoked = true;
            return Turn::Refused((REUSED, "Your refresh token has already been used"));
        }
        if login.revoked || script == Some(RefreshScript::Refuses) {
            return unknown;
        }
        if login.client_id.as_ref().is_some_and(|own| own != client_id) {
            return Turn::Refused(("invalid_client", "client_id does not match"));
        }
        refresh.used = realm != Realm::Google;
        let login = refresh.login;
        let mut grant = self.grant(login, None, now);
        if realm == Realm::Google
            && let Some(spare) = grant.refresh_token.take()
        {
            self.refresh.remove(&spare);
        }
        if script == Some(RefreshScript::LosesNext) {
            self.owner(&owner).script = None;
            return Turn::Lost;
        }
        Turn::Granted(grant)
    }

    /// Ends the access tokens that an owner has now.
    pub(in crate::provider) fn revoke_access(&mut self, owner: &str) {
        for access in self.access.values_mut() {
            access.revoked |= self.logins[access.login].owner == owner;
        }
    }

    /// The scope of an access token that is good now.
    pub(super) fn scope_of(&self, access_token: &str, now: Timestamp) -> Option<&str> {
        let access = self.access.get(access_token)?;
        let login = &self.logins[access.login];
        let good = now < access.expires_at && !access.revoked && !login.revoked;
        good.then_some(login.scope.as_str())
    }

    /// Whose an access token is, good or not.
    pub(super) fn owner_of_access(&self, token: &str) -> Option<&str> {
        self.access.get(token).map(|access| self.logins[access.login].owner.as_str())
    }

    /// Whose sign-in an access token came from.
    pub(super) fn realm_of(&self, token: &str) -> Option<Realm> {
        self.access.get(token).map(|access| self.logins[access.login].realm)
    }

    fn owner_of_refresh(&self, token: &str) -> &str {
        self.refresh.get(token).map_or("", |refresh| &self.logins[refresh.login].owner)
    }

    /// What is kept of an owner.
    pub(in crate::provider) fn owner(&mut self, name: &str) -> &mut Owner {
        self.owners.entry(name.to_owned()).or_default()
    }

    /// Notes a refresh that arrives; the number is its own.
    pub(super) fn note(&mut self, refresh_token: &str, at: Instant) -> usize {
        self.refreshes.push(RefreshSeen {
            owner: self.owner_of_refresh(refresh_token).to_owned(),
            refresh_token: refresh_token.to_owned(),
            outcome: RefreshOutcome::Waiting,
            at,
        });
        self.forgotten + self.refreshes.len() - 1
    }

    /// What came of the refresh with this number; `None` if it was forgotten meanwhile.
    pub(super) fn outcome(&mut self, number: usize) -> Option<&mut RefreshOutcome> {
        let index = number.checked_sub(self.forgotten)?;
        self.refreshes.get_mut(index).map(|seen| &mut seen.outcome)
    }

    pub(in crate::provider) fn refreshes(&self) -> &[RefreshSeen] {
        &self.refreshes
    }

    pub(in crate::provider) fn reused(&self) -> usize {
        self.reused
    }

    /// Treats refreshes and calls well again.
    pub(super) fn recover(&mut self) {
        self.only_claude_code = false;
        self.owners.values_mut().for_each(|owner| owner.script = None);
    }

    /// Forgets what was seen; logins and tokens stay.
    pub(in crate::provider) fn clear_log(&mut self) {
        self.forgotten += self.refreshes.len();
        self.refreshes.clear();
        self.reused = 0;
        for owner in self.owners.values_mut() {
            (owner.profiles_read, owner.usages_read) = (0, 0);
        }
    }

    fn log_in(
        &mut self,
        (realm, owner): (Realm, &str),
        scope: &str,
        client_id: Option<String>,
    ) -> usize {
        let (owner, scope) = (owner.to_owned(), scope.to_owned());
        self.logins.push(Login { realm, owner, scope, client_id, revoked: false });
        self.logins.len() - 1
    }

    /// New tokens of a login, which live as long as its owner's do if nothing else is wanted.
    fn grant(&mut self, login: usize, lifetime: Option<Duration>, now: Timestamp) -> Grant {
        let serial = self.next_serial();
        let Login { realm, owner, scope, .. } = &self.logins[login];
        let usual = self.owners.get(owner).and_then(|owner| owner.lifetime);
        let lifetime = lifetime.or(usual).unwrap_or(USUAL_LIFETIME);
        let grant = Grant {
            realm: *realm,
            owner: owner.clone(),
            scope: scope.clone(),
            access_token: format!("{ACCESS_PREFIX}{owner}-{serial:06}"),
            refresh_token: (scope != SETUP_SCOPE).then(|| format!("refresh-{owner}-{serial:06}")),
            lifetime,
            expires_at: now.plus(lifetime),
        };
        let access = Access { login, expires_at: grant.expires_at, revoked: false };
        self.access.insert(grant.access_token.clone(), access);
        let refresh = Refresh { login, used: false };
        self.refresh.extend(grant.refresh_token.clone().map(|token| (token, refresh)));
        grant
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}
