//! What tests ask of the provider's sign-in. It takes no part in anything before the first of
//! these is called.

use std::sync::Arc;
use std::time::Duration;

use relay_core::clock::Clock;
use serde_json::Value;

use super::issuer::{Authorization, Issuer, RefreshScript, Side};
use super::{
    FakeProvider, IssuedTokens, Realm, RefreshGate, RefreshOutcome, RefreshSeen, WAIT_MAX,
};
use crate::answer::Answer;

impl FakeProvider {
    /// Where tokens are had: codes and refresh tokens are exchanged here.
    pub fn token_url(&self) -> String {
        self.token_url_in(Realm::Claude)
    }

    /// Where tokens of this realm are had.
    pub fn token_url_in(&self, realm: Realm) -> String {
        format!("{}{}", self.base_url(), realm.token_path())
    }

    /// Goes by this clock where tokens expire and limits open again, instead of the machine's.
    pub fn tells_time_by(&self, clock: Arc<dyn Clock>) {
        self.state.time.set(clock);
    }

    /// Makes a login of `owner`. Its access tokens live so long, those of later refreshes too.
    pub fn issues(&self, owner: &str, lifetime: Duration) -> IssuedTokens {
        self.issues_in(Realm::Claude, owner, lifetime)
    }

    /// The same for the sign-in of this realm.
    pub fn issues_in(&self, realm: Realm, owner: &str, lifetime: Duration) -> IssuedTokens {
        let now = self.state.time.now();
        self.issuer().with(|book| book.issue((realm, owner), lifetime, now))
    }

    /// Makes a login of `owner` that is one token for a year of calls: it cannot be refreshed,
    /// and opens neither profile nor usage.
    pub fn issues_setup_token(&self, owner: &str) -> String {
        let now = self.state.time.now();
        self.issuer().with(|book| book.issue_setup(owner, now))
    }

    /// Access tokens of `owner` that are issued from now on live so long.
    pub fn sets_lifetime(&self, owner: &str, lifetime: Duration) {
        self.issuer().with(|book| book.owner(owner).lifetime = Some(lifetime));
    }

    /// Plays `owner` in the browser, who agrees; returns what is to be pasted: `CODE#STATE`.
    ///
    /// # Panics
    /// If the address lacks something that the sign-in needs.
    pub fn agrees(&self, authorize_url: &str, owner: &str) -> String {
        let read = Authorization::read(authorize_url);
        let agreed = read.unwrap_or_else(|mistake| panic!("{mistake}: {authorize_url}"));
        self.issuer().with(|book| book.agree(owner, agreed))
    }

    /// Plays `owner` in the browser, who agrees; returns the address at which the browser ends,
    /// with the code and the state, as it is pasted for ChatGPT and Google.
    ///
    /// # Panics
    /// If the address lacks something that the sign-in needs.
    pub fn agrees_at(&self, authorize_url: &str, owner: &str) -> String {
        let read = Authorization::read(authorize_url);
        let agreed = read.unwrap_or_else(|mistake| panic!("{mistake}: {authorize_url}"));
        let address = agreed.redirect_uri().to_owned();
        let pasted = self.issuer().with(|book| book.agree(owner, agreed));
        let (code, state) = pasted.split_once('#').unwrap_or((&pasted, ""));
        format!("{address}?code={code}&state={state}")
    }

    /// The refreshes that arrived, in order.
    pub fn refreshes(&self) -> Vec<RefreshSeen> {
        self.state.issuer.with(|book| book.refreshes().to_vec())
    }

    /// How often a refresh token came that had been used before. Each ended its login.
    pub fn reused(&self) -> usize {
        self.state.issuer.with(|book| book.reused())
    }

    /// Waits until `count` refreshes have arrived; what waits at a gate counts.
    pub async fn until_refreshes(&self, count: usize) {
        self.until_seen(count, |_| true).await;
    }

    /// Waits until `count` refreshes have had this outcome.
    pub async fn until_outcomes(&self, outcome: RefreshOutcome, count: usize) {
        self.until_seen(count, |seen| seen.outcome == outcome).await;
    }

    /// Holds refreshes as they come, before anything is decided.
    pub fn holds_refreshes(&self) -> RefreshGate {
        self.issuer().holds(Side::Requests)
    }

    /// Holds the answers of refreshes: tokens have rotated, and whoever leaves loses them.
    pub fn holds_answers(&self) -> RefreshGate {
        self.issuer().holds(Side::Answers)
    }

    /// The next refresh of `owner` rotates the tokens, and its connection is cut instead of an
    /// answer.
    pub fn loses_next_refresh(&self, owner: &str) {
        self.scripts_refreshes(owner, RefreshScript::LosesNext);
    }

    /// Refreshes of `owner` are answered with `invalid_grant`, until [`Self::recovers`].
    pub fn refuses_refreshes(&self, owner: &str) {
        self.scripts_refreshes(owner, RefreshScript::Refuses);
    }

    /// Refreshes of `owner` are answered with this status, such as 503, until
    /// [`Self::recovers`]; nothing rotates.
    pub fn fails_refreshes(&self, owner: &str, status: u16) {
        self.scripts_refreshes(owner, RefreshScript::Fails(status));
    }

    /// Answers to refreshes take so long, after the tokens have rotated.
    pub fn refresh_delay(&self, delay: Duration) {
        self.issuer().set_delay(delay);
    }

    /// The access tokens that `owner` has now are no longer accepted, though not expired; its
    /// refresh token is.
    pub fn revoke_access(&self, owner: &str) {
        self.issuer().with(|book| book.revoke_access(owner));
    }

    /// Messages with an issued token are for Claude Code alone, by their `user-agent`.
    pub fn accepts_only_claude_code(&self) {
        self.issuer().with(|book| book.only_claude_code = true);
    }

    /// Answers every call with any token of `owner`, good or not, with `answer`.
    pub fn answers_owner(&self, owner: &str, answer: Answer) {
        let owner = owner.to_owned();
        self.answers_when(move |seen| seen.is_call() && seen.owner == owner, answer);
    }

    /// What `…/api/oauth/profile` tells of `owner`.
    pub fn sets_profile(&self, owner: &str, profile: Value) {
        self.issuer().with(|book| book.owner(owner).profile = Some(profile));
    }

    /// What `…/api/oauth/usage` tells of `owner`.
    pub fn sets_usage(&self, owner: &str, usage: Value) {
        self.issuer().with(|book| book.owner(owner).usage = Some(usage));
    }

    /// How often the profile of `owner` was read.
    pub fn profiles_read(&self, owner: &str) -> usize {
        self.state.issuer.with(|book| book.owner(owner).profiles_read)
    }

    /// How often the usage of `owner` was read.
    pub fn usages_read(&self, owner: &str) -> usize {
        self.state.issuer.with(|book| book.owner(owner).usages_read)
    }

    fn scripts_refreshes(&self, owner: &str, script: RefreshScript) {
        self.issuer().with(|book| book.owner(owner).script = Some(script));
    }

    /// The issuer, which takes part from now on.
    fn issuer(&self) -> &Issuer {
        self.state.issuer.activate();
        &self.state.issuer
    }

    async fn until_seen(&self, count: usize, counts: impl Fn(&RefreshSeen) -> bool) {
        let arrived = self
            .state
            .issuer
            .wait_for(|book| book.refreshes().iter().filter(|seen| counts(seen)).count() >= count);
        let waited = tokio::time::timeout(WAIT_MAX, arrived).await;
        let seen = self.refreshes();
        assert!(waited.is_ok(), "waited {WAIT_MAX:?} for refreshes: {count}; there are {seen:?}");
    }
}
