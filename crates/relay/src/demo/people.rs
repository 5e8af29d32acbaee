//! Who calls in the demo, with what, and at which hours.

/// The group of accounts that everybody shares. Each sample key is bound to a group, so that an
/// account that somebody adds, perhaps a real one, serves no sample call.
pub(super) const EVERYBODY: &str = "everybody";
/// The group of accounts that engineers share.
pub(super) const TEAM: &str = "team";
/// The group that shows how calls fail over.
pub(super) const FAILOVER: &str = "failover";

/// The account that is a subscription.
pub(super) const SUBSCRIPTION: &str = "team-max";
/// The account that calls fail over to.
pub(super) const BACKUP: &str = "api-backup";
/// The shared account with the highest number.
pub(super) const SPARE: &str = "备用接口";
/// The account that is always limited.
pub(super) const LIMITED: &str = "limited-account";
/// The account that is switched off.
pub(super) const PAUSED: &str = "old-reseller";

const OPUS: &str = "claude-opus-4-8";
const SONNET: &str = "claude-sonnet-4-6";
const HAIKU: &str = "claude-haiku-4-5-20251001";

const CLAUDE_CODE: &str = "claude-cli/2.1.197 (external, cli)";

/// When somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hours {
    /// On working days, while people work.
    Office,
    /// Whenever customers are awake.
    Day,
    /// At all hours, and most at night.
    Night,
}

/// What a call looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Long conversations, mostly out of the cache, streamed.
    Coding,
    /// Texts of a few pages, unary.
    Documents,
    /// Short questions with the same prompt before them, streamed.
    Chat,
}

/// Somebody with a key.
#[derive(Debug)]
pub(super) struct Person {
    /// The key's name.
    pub(super) key: &'static str,
    /// Whose it is.
    pub(super) owner: &'static str,
    /// A note on it.
    pub(super) note: &'static str,
    /// Its tags.
    pub(super) tags: &'static [&'static str],
    /// The group of accounts that it is bound to.
    pub(super) group: &'static str,
    /// The user-agent of the client.
    pub(super) agent: &'static str,
    /// The models that are asked for; the more often a model stands here, the more often it is.
    pub(super) models: &'static [&'static str],
    /// Calls in an hour that is busy.
    pub(super) per_hour: u64,
    /// When.
    pub(super) hours: Hours,
    /// What the calls look like.
    pub(super) habit: Habit,
}

/// The key that is shown to try things with.
pub(super) const MAIN: &str = "demo";
/// The key whose calls fail over.
pub(super) const FAILING_OVER: &str = "demo-failover";
/// The key of somebody who left.
pub(super) const DISABLED: &str = "former-intern";

/// Everybody. The two keys that are shown come first.
pub(super) const PEOPLE: [Person; 8] = [
    Person {
        key: MAIN,
        owner: "you",
        note: "the key to try things with · 用来试用的密钥",
        tags: &["demo"],
        group: EVERYBODY,
        agent: "",
        models: &[SONNET],
        per_hour: 1,
        hours: Hours::Office,
        habit: Habit::Documents,
    },
    Person {
        key: FAILING_OVER,
        owner: "you",
        note: "its first account is always limited · 它的第一个账户总是被限流",
        tags: &["demo", "failover"],
        group: FAILOVER,
        agent: "",
        models: &[SONNET],
        per_hour: 1,
        hours: Hours::Office,
        habit: Habit::Documents,
    },
    Person {
        key: "lena-laptop",
        owner: "Lena Fischer",
        note: "",
        tags: &["engineering"],
        group: TEAM,
        agent: CLAUDE_CODE,
        models: &[OPUS, OPUS, SONNET, SONNET, SONNET, HAIKU],
        per_hour: 14,
        hours: Hours::Office,
        habit: Habit::Coding,
    },
    Person {
        key: "张伟-工作站",
        owner: "张伟",
        note: "Claude Code",
        tags: &["研发", "engineering"],
        group: TEAM,
        agent: CLAUDE_CODE,
        models: &[OPUS, SONNET, SONNET, HAIKU],
        per_hour: 18,
        hours: Hours::Office,
        habit: Habit::Coding,
    },
    Person {
        key: "ci-review",
        owner: "platform",
        note: "reviews every merge request",
        tags: &["ci", "engineering"],
        group: EVERYBODY,
        agent: "Anthropic/Python 0.84.0",
        models: &[SONNET],
        per_hour: 7,
        hours: Hours::Night,
        habit: Habit::Documents,
    },
    Person {
        key: "客服机器人",
        owner: "客服部",
        note: "网站上的问答",
        tags: &["客服"],
        group: EVERYBODY,
        agent: "Anthropic/JS 0.92.0",
        models: &[HAIKU, HAIKU, HAIKU, SONNET],
        per_hour: 13,
        hours: Hours::Day,
        habit: Habit::Chat,
    },
    Person {
        key: "docs-translate",
        owner: "Maria Rossi · 王芳",
        note: "",
        tags: &["docs", "文档"],
        group: EVERYBODY,
        agent: "Anthropic/Python 0.84.0",
        models: &[SONNET, HAIKU],
        per_hour: 5,
        hours: Hours::Office,
        habit: Habit::Documents,
    },
    Person {
        key: DISABLED,
        owner: "李雷",
        note: "left · 已离职",
        tags: &["engineering"],
        group: EVERYBODY,
        agent: CLAUDE_CODE,
        models: &[SONNET, HAIKU],
        per_hour: 6,
        hours: Hours::Office,
        habit: Habit::Coding,
    },
];

impl Person {
    /// The client's id, as the relay tells it by the user-agent.
    pub(super) fn client(&self) -> &'static str {
        if self.agent == CLAUDE_CODE { crate::client_id::CLAUDE_CODE } else { "" }
    }

    /// Whether answers are streamed.
    pub(super) fn streams(&self) -> bool {
        self.habit != Habit::Documents
    }
}

impl Hours {
    /// How busy an hour of the day is, in percent.
    pub(super) const fn percent(self, hour: i8, is_weekend: bool) -> u64 {
        let busy = match (self, hour) {
            (Self::Office, 9..=11 | 14..=17) | (Self::Night, 0..=5) => 100,
            (Self::Office, 8 | 13 | 18) => 60,
            (Self::Office, 12 | 19..=22) => 30,
            (Self::Office, _) => 2,
            (Self::Day, 8..=21) => 90,
            (Self::Day, 6 | 7 | 22 | 23) => 40,
            (Self::Day, _) => 10,
            (Self::Night, _) => 45,
        };
        match self {
            Self::Office if is_weekend => busy / 5,
            Self::Day | Self::Night | Self::Office => busy,
        }
    }
}
