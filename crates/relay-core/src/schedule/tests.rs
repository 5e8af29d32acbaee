use proptest::prelude::*;

use super::*;
use crate::account::tests::account;
use crate::id::GroupId;
use crate::model::ModelPattern;

const NOW: Timestamp = Timestamp::from_seconds(1_000);

fn view(account: &Account) -> AccountView<'_> {
    AccountView {
        account,
        in_flight: 0,
        last_used: Timestamp::from_seconds(0),
        rest: None,
        probed: false,
    }
}

fn demand() -> Demand<'static> {
    Demand {
        service: Service::Claude,
        model: "claude-opus-4-8",
        pool: Pool::Shared,
        pinned: None,
        tried: &[],
    }
}

fn rest(seconds: i64, cause: RestCause) -> Rest {
    Rest { until: Timestamp::from_seconds(seconds), cause, stated: true }
}

fn served(choice: Result<Choice, NoCapacity>) -> Option<i64> {
    match choice {
        Ok(Choice::Serve(id)) => Some(id.0),
        _ => None,
    }
}

#[test]
fn priority_then_load_by_weight_then_least_recently_used() {
    let (mut a, b, mut c) = (account(1), account(2), account(3));
    let pool = [
        AccountView { last_used: Timestamp::from_seconds(9), ..view(&a) },
        AccountView { last_used: Timestamp::from_seconds(5), ..view(&b) },
    ];
    assert_eq!(served(choose(&pool, &demand(), NOW)), Some(2));

    c.weight = 4;
    let pool = [AccountView { in_flight: 1, ..view(&b) }, AccountView { in_flight: 3, ..view(&c) }];
    assert_eq!(served(choose(&pool, &demand(), NOW)), Some(3));

    a.priority = 1;
    let pool = [view(&b), AccountView { in_flight: 9, ..view(&a) }];
    assert_eq!(served(choose(&pool, &demand(), NOW)), Some(1));
}

#[test]
fn a_pin_wins_while_its_account_is_able_and_waits_for_a_slot() {
    let (a, mut b) = (account(1), account(2));
    b.priority = 99;
    b.concurrency_max = Some(1);
    let want = Demand { pinned: Some(b.id), ..demand() };
    assert_eq!(served(choose(&[view(&a), view(&b)], &want, NOW)), Some(2));

    let full = AccountView { in_flight: 1, ..view(&b) };
    assert_eq!(choose(&[view(&a), full], &want, NOW), Ok(Choice::AwaitPinned(b.id)));

    let resting = AccountView { rest: Some(rest(1_010, RestCause::RateLimited)), ..view(&b) };
    assert_eq!(served(choose(&[view(&a), resting], &want, NOW)), Some(1));
}

#[test]
fn reserved_accounts_serve_only_bound_keys() {
    let (mut a, mut b) = (account(1), account(2));
    a.sharing = Sharing::Reserved;
    b.sharing = Sharing::Reserved;
    b.groups = vec![GroupId(7)];
    let pool = [view(&a), view(&b)];
    assert_eq!(choose(&pool, &demand(), NOW), Err(NoCapacity::NoAccount));
    let bound = |target| Demand { pool: Pool::Bound(target), ..demand() };
    assert_eq!(served(choose(&pool, &bound(BindingTarget::Account(a.id)), NOW)), Some(1));
    assert_eq!(served(choose(&pool, &bound(BindingTarget::Group(GroupId(7))), NOW)), Some(2));
}

#[test]
fn a_refusal_says_why() {
    let mut a = account(1);
    assert_eq!(choose(&[], &demand(), NOW), Err(NoCapacity::NoAccount));

    let want = Demand { tried: &[AccountId(1)], ..demand() };
    assert_eq!(choose(&[view(&a)], &want, NOW), Err(NoCapacity::NoneAble));

    let b = account(2);
    let pool = [
        AccountView { rest: Some(rest(1_050, RestCause::Overloaded)), ..view(&a) },
        AccountView { rest: Some(rest(1_020, RestCause::RateLimited)), ..view(&b) },
    ];
    let reopens_at = Timestamp::from_seconds(1_020);
    assert_eq!(choose(&pool, &demand(), NOW), Err(NoCapacity::AllRest { reopens_at, cause: None }));

    a.models = vec![ModelPattern::new("claude-sonnet-*")];
    assert_eq!(choose(&[view(&a)], &demand(), NOW), Err(NoCapacity::NoModel));

    a.models = Vec::new();
    a.concurrency_max = Some(2);
    let full = AccountView { in_flight: 2, ..view(&a) };
    assert_eq!(choose(&[full], &demand(), NOW), Err(NoCapacity::AllBusy));
}

#[test]
fn an_only_account_that_failed_is_tried_out_by_one_call_at_a_time() {
    let (a, b) = (account(1), account(2));
    let unstated = |seconds| Rest { stated: false, ..rest(seconds, RestCause::Failing) };
    let first = AccountView { rest: Some(unstated(1_002)), ..view(&a) };
    let second = AccountView { rest: Some(unstated(1_009)), ..view(&b) };
    assert_eq!(choose(&[second, first], &demand(), NOW), Ok(Choice::Probe(a.id)));

    let probed = AccountView { probed: true, ..first };
    let refused = choose(&[second, probed], &demand(), NOW);
    assert!(matches!(refused, Err(NoCapacity::AllRest { .. })), "{refused:?}");

    let stated = AccountView { rest: Some(rest(1_060, RestCause::RateLimited)), ..view(&b) };
    let refused = choose(&[first, stated], &demand(), NOW);
    assert!(matches!(refused, Err(NoCapacity::AllRest { .. })), "{refused:?}");
}

proptest! {
    #[test]
    fn a_closed_account_is_never_chosen(
        states in prop::collection::vec((any::<bool>(), 0_i64..2_000, 0_u32..4, any::<bool>()), 1..8),
        pinned in prop::option::of(0_i64..8),
    ) {
        let accounts: Vec<Account> = (0..).zip(&states)
            .map(|(id, (enabled, _, _, _))| Account {
                enabled: *enabled, concurrency_max: Some(2), ..account(id)
            })
            .collect();
        let pool: Vec<AccountView<'_>> = accounts.iter().zip(&states)
            .map(|(account, (_, until, in_flight, resting))| AccountView {
                in_flight: *in_flight,
                rest: resting.then(|| rest(*until, RestCause::Failing)),
                ..view(account)
            })
            .collect();
        let tried = [AccountId(0)];
        let want = Demand { pinned: pinned.map(AccountId), tried: &tried, ..demand() };
        if let Ok(Choice::Serve(id)) = choose(&pool, &want, NOW) {
            let chosen = pool.iter().find(|view| view.account.id == id).expect("of the pool");
            prop_assert!(chosen.account.enabled && chosen.in_flight < 2 && id != AccountId(0));
            prop_assert!(chosen.rest.is_none_or(|rest| rest.until <= NOW));
        }
    }
}
