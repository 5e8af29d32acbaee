//! `crs account test`: whether accounts work, each by its own way out.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use relay_core::price::PriceList;
use relay_store::accounts::StoredAccount;

use super::selection::{Answers, Several};
use crate::cli::context::Context;
use crate::cli::terminal::facts;
use crate::cli::when;
use crate::live::{self, NoAnswer};
use crate::prices;
use crate::text::{retold, spoken, tr};
use crate::verbs::account::{self, AccountTest, TestAsk, TestBy, Verdict};

/// Accounts that are tested at one time.
const TESTED_MAX: usize = 8;

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    #[command(flatten)]
    which: Several,
    /// Model to ask [default: a small one that the account serves]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only ask for the list of models, which costs nothing
    #[arg(long, conflicts_with = "model")]
    no_answer: bool,
    /// How long an answer may take, at most 5m [default: 20s]
    #[arg(long, value_name = "SPAN", value_parser = when::span)]
    timeout: Option<Duration>,
}

/// Who makes the tests.
enum Tester<'a> {
    /// The running relay, which keeps the tokens.
    Relay,
    /// This command, as nobody else works on the data directory while it does.
    Here(Box<PriceList>),
    /// Nobody: it could not be made sure that no relay runs.
    Nobody(&'a str),
}

impl Test {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let how = TestAsk {
            prompt: None,
            model: self.model.clone(),
            by: if self.no_answer { TestBy::Models } else { TestBy::Answer },
            within_millis: self
                .timeout
                .map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        };
        let (selection, answers) = self.which.read();
        let accounts = account::to_test(&context.store, &selection).await?;
        let mut lock = None;
        let tester = match (context.live(), context.dir.lock()) {
            (Some(_), _) => Tester::Relay,
            (None, Ok(taken)) => {
                lock = Some(taken);
                Tester::Here(Box::new(prices::load(&context.store).await?))
            }
            (None, Err(_)) => Tester::Nobody("a relay is starting or stopping: try again"),
        };
        let tests: Vec<AccountTest> = stream::iter(&accounts)
            .map(|stored| test(context, &tester, stored, &how))
            .buffered(TESTED_MAX)
            .collect()
            .await;
        drop(lock);
        match tests.as_slice() {
            [one] if answers == Answers::One => context.form.answer(one, text)?,
            all => context.form.answer(all, texts)?,
        };
        let works = tests.iter().all(|test| test.verdict == Verdict::Works);
        Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn test(
    context: &Context,
    tester: &Tester<'_>,
    stored: &StoredAccount,
    how: &TestAsk,
) -> AccountTest {
    let not_made = |why: String| AccountTest::not_made(&stored.account, why);
    match tester {
        Tester::Here(prices) => account::probe_stored(stored, how, prices, context.now).await,
        Tester::Nobody(why) => not_made((*why).to_owned()),
        Tester::Relay => {
            let (dir, id, how) = (context.dir.clone(), stored.account.id, Arc::new(how.clone()));
            let asked = tokio::task::spawn_blocking(move || live::ask_test(&dir, id, &how)).await;
            match asked {
                Ok(Ok(test)) => test,
                Ok(Err(NoAnswer::NoServer)) => not_made("the relay has stopped".to_owned()),
                Ok(Err(error)) => not_made(error.to_string()),
                Err(error) => not_made(error.to_string()),
            }
        }
    }
}

fn texts(tests: &[AccountTest]) -> String {
    if tests.is_empty() {
        return tr!("no accounts to test");
    }
    tests.iter().map(text).collect::<Vec<_>>().join("\n")
}

fn text(test: &AccountTest) -> String {
    let status = test.status.map(|status| tr!(" (status {status})", status)).unwrap_or_default();
    let exit = match test.exit_address {
        Some(address) => {
            tr!("{exit} ({address})", exit = retold(&test.exit, spoken()), address)
        }
        None => retold(&test.exit, spoken()),
    };
    let usage = test.usage.as_ref().map(|usage| {
        tr!(
            "{input} tokens in, {output} out, {cost}",
            input = usage.input_tokens,
            output = usage.output_tokens,
            cost = format_args!("${:.6}", usage.cost_usd),
        )
    });
    let plan = test.plan.as_ref().map(|identity| {
        let parts = [&identity.plan, &identity.tier, &identity.email, &identity.organisation];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    });
    let millis = test.status.map(|_| tr!("{ms} ms", ms = test.millis));
    let lines = [
        (tr!("why"), test.fault.as_ref().map(|fault| retold(fault, spoken()))),
        (tr!("it said"), test.said.clone()),
        (tr!("until"), test.resets_at.clone()),
        (tr!("exit"), Some(exit)),
        (tr!("latency"), millis),
        (tr!("model"), test.model.clone()),
        (tr!("answer"), test.answer.clone()),
        (tr!("used"), usage),
        (tr!("plan"), plan),
    ];
    let lines = lines.map(|(name, value)| (name, value.unwrap_or_default()));
    let facts = facts(&lines);
    let facts: Vec<String> = facts.lines().map(|line| format!("  {line}")).collect();
    let verdict = retold(test.verdict.words(), spoken());
    let head = tr!("{name}: {verdict}{status}", name = test.name, verdict, status);
    format!("{head}\n{}\n", facts.join("\n"))
}
