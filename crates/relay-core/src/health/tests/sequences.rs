//! Whatever happens in whatever order: switches are the operator's, rests end, closed accounts are
//! not asked.

use proptest::prelude::*;

use super::*;
use crate::account::Account;
use crate::account::tests::account;
use crate::key::Pool;
use crate::protocol::Service;
use crate::schedule::{AccountView, Choice, Demand, Hold, Plan, choose};

const MODELS: [&str; 2] = ["claude-opus-4-8", "claude-sonnet-4-6"];
const CAUSES: [RestCause; 6] = [
    RestCause::RateLimited,
    RestCause::Overloaded,
    RestCause::Unauthorised,
    RestCause::Condemned,
    RestCause::Failing,
    RestCause::Unreachable,
];

/// Something that happens to the account of a number.
#[derive(Debug, Clone)]
enum Step {
    Fault { account: usize, cause: usize, reset: Option<i64>, scope: u8, model: usize, jitter: u8 },
    Answer { account: usize, model: usize, ago: u64 },
    Windows { account: usize, ago: u64 },
    Reset { account: usize },
    Switch { account: usize },
    Wait { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (account, model) = (0_usize..3, 0_usize..2);
    let reset = prop::option::of(-100_i64..2_000_000);
    let fault = (account.clone(), 0_usize..6, reset, 0_u8..4, model.clone(), any::<u8>());
    prop_oneof![
        4 => fault.prop_map(|(account, cause, reset, scope, model, jitter)| {
            Step::Fault { account, cause, reset, scope, model, jitter }
        }),
        2 => (account.clone(), model, 0_u64..5_000)
            .prop_map(|(account, model, ago)| Step::Answer { account, model, ago }),
        1 => (account.clone(), 0_u64..5_000)
            .prop_map(|(account, ago)| Step::Windows { account, ago }),
        1 => account.clone().prop_map(|account| Step::Reset { account }),
        1 => account.prop_map(|account| Step::Switch { account }),
        4 => (0_u64..100_000).prop_map(|millis| Step::Wait { millis }),
    ]
}

/// Three accounts, what is noted of them, and how long their rests may be at most.
struct World {
    now: Timestamp,
    accounts: Vec<Account>,
    health: Vec<Health>,
    /// The latest end that any evidence since the last reset allows.
    latest: Vec<Timestamp>,
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_seconds(1_000_000);
        let accounts: Vec<Account> = (0..3).map(account).collect();
        Self { now, health: vec![Health::default(); 3], latest: vec![now; 3], accounts }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Fault { account, cause, reset, scope, model, jitter } => {
                let asked = ModelFamily::of(MODELS[model]);
                let cause = CAUSES[cause];
                let stated_reset = reset.map(|reset| Timestamp::from_seconds(1_000_000 + reset));
                let scope = match scope {
                    0 => Scope::Account,
                    1 => Scope::Asked,
                    2 => Scope::Models(opus()),
                    _ => Scope::Models(ModelFamily::of("claude-xyz-5")),
                };
                let evidence = Evidence { cause, stated_reset, scope };
                let noted = self.health[account].fault(&evidence, &asked, self.now, jitter);
                assert!(noted.rest.until > self.now);
                let standing = self.health[account].standing(&asked, self.now);
                assert!(standing.rest().is_some(), "a call for it met a fault: {standing:?}");
                let latest = match stated_reset.filter(|reset| *reset > self.now) {
                    Some(reset) => reset.min(self.now.plus(STATED_REST_MAX)),
                    None => self.now.plus(cause.unstated().1),
                };
                self.latest[account] = self.latest[account].max(latest);
            }
            Step::Answer { account, model, ago } => {
                let sent = self.now.minus(Duration::from_millis(ago));
                self.health[account].answered(&ModelFamily::of(MODELS[model]), sent);
            }
            Step::Windows { account, ago } => {
                let asked_at = self.now.minus(Duration::from_millis(ago));
                self.health[account].windows_have_room(self.now, asked_at);
            }
            Step::Reset { account } => {
                self.health[account].reset();
                self.latest[account] = self.now;
                assert_eq!(self.health[account], Health::default());
            }
            Step::Switch { account } => {
                self.accounts[account].enabled = !self.accounts[account].enabled;
            }
            Step::Wait { millis } => self.now = self.now.plus(Duration::from_millis(millis)),
        }
    }

    /// No rest lasts longer than its evidence lets it.
    fn rests_end(&self) {
        for (health, latest) in self.health.iter().zip(&self.latest) {
            let families = health.family_rests(self.now).map(|(_, rest)| rest);
            for rest in health.account_rest(self.now).into_iter().chain(families) {
                assert!(rest.until <= *latest, "{rest:?} {latest:?}");
            }
        }
    }

    /// Who is asked is switched on, and open or on trial; or all rest and nobody said until when.
    fn closed_ones_are_not_asked(&self, model: &str) {
        let family = ModelFamily::of(model);
        let view = |(account, health): (_, &Health)| AccountView {
            account,
            in_flight: 0,
            last_used: Timestamp::default(),
            standing: health.standing(&family, self.now),
            probed: false,
            doubted: false,
            headroom: 1_000,
            closed: None,
            plan: Plan::Has,
        };
        let pool: Vec<_> = self.accounts.iter().zip(&self.health).map(view).collect();
        let (service, pool_of_key, tried) = (Service::Claude, Pool::Shared, &[]);
        let want = Demand {
            service,
            model,
            client: "",
            pool: pool_of_key,
            pinned: None,
            hold: Hold::Soft,
            tried,
        };
        let able = || pool.iter().filter(|view| view.account.enabled);
        let standing = |id| {
            let chosen = able().find(|view| view.account.id == id);
            chosen.expect("it is switched on").standing
        };
        match choose(&pool, &want) {
            Ok(Choice::Serve(id)) => assert_eq!(standing(id), Standing::Open),
            Ok(Choice::Probe(id)) => match standing(id) {
                Standing::Trial => {}
                Standing::Open => panic!("an open account needs no trial"),
                Standing::Rests(first) => {
                    assert!(!first.stated);
                    let later = |view: &AccountView<'_>| {
                        view.standing.rest().is_some_and(|rest| rest.until >= first.until)
                    };
                    assert!(able().all(later), "the first to reopen of accounts that all rest");
                }
            },
            Ok(Choice::AwaitPinned(_)) => panic!("nothing is pinned"),
            Err(_) => assert!(able().all(|view| view.standing.rest().is_some())),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_switches_stay_rests_end_and_closed_accounts_are_not_asked(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        for step in &steps {
            let switches = world.accounts.clone();
            world.take(step);
            if !matches!(step, Step::Switch { .. }) {
                prop_assert_eq!(&world.accounts, &switches, "the machine turned a switch");
            }
            world.rests_end();
            for model in MODELS {
                world.closed_ones_are_not_asked(model);
            }
        }
        // In the end everything opens by itself.
        world.now = *world.latest.iter().max().expect("three").max(&world.now);
        for health in &world.health {
            for model in MODELS {
                let standing = health.standing(&ModelFamily::of(model), world.now);
                prop_assert!(standing.rest().is_none(), "{:?}", standing);
            }
        }
    }
}
