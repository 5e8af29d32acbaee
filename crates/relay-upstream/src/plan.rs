//! Which models a plan serves.
//!
//! The provider tells a client that asks for more only by refusing it, so what is known is a table.

use relay_core::credential::Identity;
use relay_core::model::ModelFamily;
use relay_core::protocol::Service;

/// A limit of a plan.
struct Limit {
    /// The plan's names: the provider's own, and the one that people and older data use.
    plans: &'static [&'static str],
    /// The family of models that is limited.
    family: &'static str,
    /// The first version that is served; `None` serves none.
    from: Option<Version>,
}

/// Major and minor.
type Version = (u8, u8);

/// Source: claude-relay-service, which schedules by the same facts (as of December 2025): no Opus
/// on the free plan, Opus from 4.5 on on Pro, all on Max, Team and Enterprise.
const LIMITS: &[Limit] = &[
    Limit { plans: &["claude_free", "free"], family: "opus", from: None },
    Limit { plans: &["claude_pro", "pro"], family: "opus", from: Some((4, 5)) },
];

/// Whether the plan of a sign-in with a provider serves `model`. A plan that is not known serves
/// everything, and so does any plan for a model whose name tells no version, such as
/// `claude-opus-latest`.
///
/// Of ChatGPT's plans and of Code Assist's tiers nothing is known: which models they have changes
/// by the month, and their names (`free`, `pro`) mean other things than Claude's.
pub fn serves(provider: Service, identity: &Identity, model: &str) -> bool {
    if provider != Service::Claude {
        return true;
    }
    let mut limits = LIMITS
        .iter()
        .filter(|limit| limit.plans.iter().any(|plan| plan.eq_ignore_ascii_case(&identity.plan)))
        .peekable();
    if limits.peek().is_none() {
        return true;
    }
    let family = ModelFamily::of(model);
    limits.filter(|limit| limit.family == family.as_str()).all(|limit| {
        limit.from.is_some_and(|from| version(model, limit.family).is_none_or(|it| it >= from))
    })
}

/// The version in a model's name: after the family (`claude-opus-4-5-20251101`,
/// `claude-opus-4.5`), or before it in older names (`claude-3-opus-20240229`).
fn version(model: &str, family: &str) -> Option<Version> {
    let model = model.to_ascii_lowercase();
    let (before, after) = model.split_once(family)?;
    let before = before.rsplit_once("claude").map_or("", |(_, between)| between);
    leading_version(after).or_else(|| leading_version(before))
}

/// The numbers that a text begins with. A date has more than two digits and is none of them; what
/// follows a bracket is a word for the client (`[1m]`).
fn leading_version(text: &str) -> Option<Version> {
    let text = text.split('[').next().unwrap_or(text);
    let mut numbers = text
        .split(['-', '.', '_', '@', ':'])
        .filter(|part| !part.is_empty())
        .map_while(|part| (part.len() <= 2).then(|| part.parse::<u8>().ok())?);
    numbers.next().map(|major| (major, numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serves(identity: &Identity, model: &str) -> bool {
        super::serves(Service::Claude, identity, model)
    }

    #[test]
    fn plans_of_other_providers_are_not_claudes() {
        for provider in [Service::Openai, Service::Gemini] {
            for (plan, model) in [("free", "claude-opus-4"), ("pro", "opus"), ("plus", "gpt-5")] {
                assert!(super::serves(provider, &on(plan), model), "{plan} {model}");
            }
        }
    }

    fn on(plan: &str) -> Identity {
        Identity { plan: plan.into(), ..Identity::default() }
    }

    const OLD_OPUS: [&str; 7] = [
        "claude-3-opus-20240229",
        "claude-opus-4-20250514",
        "claude-opus-4-1-20250805",
        "claude-opus-4.1",
        "claude-opus-4",
        "us.anthropic.claude-opus-4-20250514-v1:0",
        "claude-opus-4@20250514",
    ];
    const NEW_OPUS: [&str; 9] = [
        "claude-opus-4-5-20251101",
        "claude-opus-4.5",
        "Claude-Opus-4-10",
        "claude-opus-5",
        "claude-opus-5-20270101",
        "claude-opus-4-6[1m]",
        "claude-opus-latest",
        "claude-5-opus",
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
    ];
    const OTHERS: [&str; 4] =
        ["claude-sonnet-4-20250514", "claude-3-haiku-20240307", "claude-fable-5-1", "glm-5"];

    #[test]
    fn a_free_plan_serves_no_opus() {
        for model in OLD_OPUS.into_iter().chain(NEW_OPUS) {
            assert!(!serves(&on("claude_free"), model), "{model}");
        }
    }

    #[test]
    fn pro_serves_opus_from_4_5_on() {
        for plan in ["claude_pro", "Claude_Pro", "pro"] {
            for model in OLD_OPUS {
                assert!(!serves(&on(plan), model), "{model}");
            }
            for model in NEW_OPUS {
                assert!(serves(&on(plan), model), "{model}");
            }
        }
    }

    #[test]
    fn other_families_and_other_plans_are_not_limited() {
        for model in OTHERS {
            assert!(serves(&on("claude_free"), model) && serves(&on("claude_pro"), model));
        }
        for plan in ["", "claude_max", "claude_team", "claude_enterprise", "claude_promo"] {
            for model in OLD_OPUS.into_iter().chain(NEW_OPUS).chain(OTHERS) {
                assert!(serves(&on(plan), model), "{plan} {model}");
            }
        }
    }
}
