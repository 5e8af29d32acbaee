//! Messages that are said again in Chinese.

use anyhow::Context;

use crate::text::{Language, chain, retold};

fn zh(message: &str) -> String {
    retold(message, Language::Chinese)
}

#[test]
fn places_are_taken_out_of_a_message_and_filled_in() {
    assert_eq!(zh("there is no account \"main\""), "没有账户 \"main\"");
    assert_eq!(zh("not a whole number from 1 to 10"), "不是 1 到 10 的整数");
    assert_eq!(
        zh("another server (process 7) uses the data directory /data"),
        "另一个中转服务进程（进程 7）正在使用数据目录 /data"
    );
    assert_eq!(retold("the secret is empty", Language::English), "the secret is empty");
}

#[test]
fn messages_within_messages_are_said_again_too() {
    assert_eq!(
        zh("rests for sonnet until 09:00: the provider's limit (429), stated by it"),
        "sonnet 系列冷却到 09:00：上游限流（429）（由其告知）"
    );
    assert_eq!(
        zh("the code was not exchanged: the token endpoint answered 503: busy; begin again"),
        "授权码没有兑换成功：令牌端点返回 503: busy；请重新开始"
    );
    assert_eq!(zh("PORT: not a port (0 to 65535)"), "PORT：不是端口（0 到 65535）");
    assert_eq!(
        zh("TIMEZONE: Mars is no IANA time zone, such as Asia/Shanghai"),
        "TIMEZONE：Mars 不是 IANA 时区，例如 Asia/Shanghai"
    );
}

#[test]
fn the_most_specific_text_is_taken() {
    assert_eq!(
        zh("signed out since 09:00: the provider refused the refresh token; sign in again: crs \
            account login a; until 10:00 its last token serves"),
        "自 09:00 起已登出：上游拒绝了刷新令牌；重新登录：crs account login a；最后的令牌可用到 10:00"
    );
    assert_eq!(
        zh("/data/master.key is damaged: it should hold one line of 64 hexadecimal digits"),
        "/data/master.key 已损坏：应为一行 64 位十六进制数字"
    );
}

#[test]
fn reasons_behind_one_another_are_each_said_again() {
    assert_eq!(
        zh("paused by an operator; signed out since 09:00: the token ended and cannot be \
            refreshed; sign in again: crs account login a; its host rests until 09:30: it cannot \
            be reached; something new"),
        "已由操作者暂停；自 09:00 起已登出：令牌已到期，不能刷新；重新登录：crs account login a；\
         所在主机冷却到 09:30：无法连接；something new"
    );
}

#[test]
fn every_line_of_a_list_is_said_again() {
    assert_eq!(
        zh(
            "the settings have mistakes:\n  - REDIS_URL: several nodes are not built yet; remove it"
        ),
        "设置有误：\n  - REDIS_URL：尚不支持多节点；请去掉"
    );
}

#[test]
fn what_nobody_knows_stays_as_it_is() {
    for text in ["", "quota exceeded: try later", "say: {name}", "密钥", "a {0} b"] {
        assert_eq!(zh(text), text);
    }
}

#[test]
fn values_are_not_read_as_texts_of_commands() {
    assert_eq!(zh("there is no variable calls"), "没有环境变量 calls");
    assert_eq!(zh("there is no account \"account\""), "没有账户 \"account\"");
    assert_eq!(zh("there is no variable {name}"), "没有环境变量 {name}");
}

#[test]
fn a_value_stays_as_it_is_whatever_it_is_called() {
    assert_eq!(zh("there is no variable key"), "没有环境变量 key");
    assert_eq!(zh("there is no variable calls"), "没有环境变量 calls");
    assert_eq!(zh("the name the secret is empty is taken"), "名称 the secret is empty 已被占用");
    assert_eq!(zh("cannot read /data/is damaged"), "无法读取 /data/is damaged");
    assert_eq!(
        zh("cannot open /srv/key: account"),
        "无法打开 /srv/key: account",
        "a colon in a path"
    );
    assert_eq!(zh("key: not a port (0 to 65535)"), "key：不是端口（0 到 65535）");
}

#[test]
fn words_of_a_provider_stay_as_they_are() {
    assert_eq!(zh("the provider refused: the token is damaged"), "上游拒绝：the token is damaged");
    for text in [
        "your plan is damaged",
        "the request is not in the list",
        "the door does not open",
        "model is not in 0 to 9",
        "some trouble: connection refused",
    ] {
        assert_eq!(zh(text), text);
    }
    assert_eq!(
        zh("cannot connect: TLS: the secret is empty"),
        "无法连接：TLS：the secret is empty"
    );
    assert_eq!(zh("/data/credentials/acct_1 is damaged"), "/data/credentials/acct_1 已损坏");
    assert_eq!(zh("7 is not in 1..=5"), "7 不在 1 到 5 之间");
}

#[test]
fn a_single_word_is_told_where_it_is_the_kind_of_a_thing() {
    assert_eq!(zh("there is no key \"key\""), "没有密钥 \"key\"");
    assert_eq!(zh("direct"), "直连");
    assert_eq!(zh("imported without its secret, its header x-a"), "导入时缺少：凭据、请求头 x-a");
}

/// As sqlx does: its own words hold those of the engine, which is the cause too.
#[derive(Debug, thiserror::Error)]
#[error("error returned from database: {0}")]
struct Wrapped(#[source] std::io::Error);

#[test]
fn a_cause_that_was_told_is_not_told_again() {
    let engine = std::io::Error::other("(code: 26) file is not a database");
    let error = anyhow::Error::from(Wrapped(engine)).context("the database refused a statement");
    assert_eq!(
        chain(&error, Language::English),
        "the database refused a statement: error returned from database: (code: 26) file is not a \
         database"
    );
    assert_eq!(
        chain(&error, Language::Chinese),
        "数据库拒绝了一条语句：数据库返回错误：(code: 26) file is not a database"
    );
}

#[test]
fn an_error_is_told_with_its_causes() {
    let system = std::io::Error::from_raw_os_error(13);
    let error = Err::<(), _>(system).context("cannot open a.txt").expect_err("an error");
    assert_eq!(chain(&error, Language::Chinese), "无法打开 a.txt：权限不足（系统错误 13）");
    assert_eq!(chain(&error, Language::English), format!("{error:#}"));
}

#[test]
fn a_transparent_error_is_told_once() {
    let error = crate::verbs::VerbError::Store(relay_store::StoreError::SecretTaken);
    assert_eq!(chain(&anyhow::Error::from(error), Language::Chinese), "已有相同的密钥");
}
