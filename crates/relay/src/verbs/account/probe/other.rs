//! What else a test finds out of a subscription, once its answer is judged: where a provider has no
//! question that costs nothing and tells all, several tell more than one.

use relay_core::account::AccountKind;
use relay_core::clock::Timestamp;
use relay_core::secret::Secret;
use relay_upstream::oauth::{self, Holder, InquiryFault};
use tokio::time::timeout;

use super::{AccountTest, TestAsk, Verdict, Way};

/// Why it is not known whether a ChatGPT subscription works.
const NOT_ASKED: &str =
    "its token is fresh, and the provider answers no question that costs nothing";

/// The test with what the quota of the account adds.
pub(super) async fn completed(
    mut test: AccountTest,
    way: Way<'_>,
    secret: &Secret,
    how: &TestAsk,
) -> AccountTest {
    let wanted = match way.account.kind {
        // No list of models is promised to others than its own client.
        AccountKind::OpenaiOauth => test.verdict == Verdict::Unclear,
        AccountKind::GeminiOauth => test.verdict == Verdict::Works,
        _ => false,
    };
    if !wanted {
        return test;
    }
    let known = test.plan.clone();
    let holder = Holder::new(way.account, known.as_ref().or(way.identity), secret);
    let asked = oauth::usage(way.client, &holder, way.now);
    let Ok(told) = timeout(how.within(), asked).await else { return test };
    match told {
        Ok(windows) if !windows.is_empty() => {
            test.verdict = Verdict::Works;
            test.fault = None;
            test.said = None;
            if windows.iter().all(|(_, window)| window.used_permille >= 1_000) {
                test.verdict = Verdict::Limited;
                test.fault = Some("the account is at its limit".to_owned());
                let ends = |at: Timestamp| at > way.now;
                test.resets(
                    windows.iter().filter_map(|(_, it)| it.resets_at).filter(|at| ends(*at)).min(),
                );
            }
        }
        Err(InquiryFault::Refused { status: 401, said }) => {
            test.verdict = Verdict::Refused;
            test.fault = Some("the provider does not accept the secret".to_owned());
            test.said = Some(said).filter(|said| !said.is_empty());
        }
        _ if way.account.kind == AccountKind::OpenaiOauth => {
            test.fault = Some(NOT_ASKED.to_owned());
        }
        _ => {}
    }
    test
}
