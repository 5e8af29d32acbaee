//! Texts for people in Chinese, and what stays as it is.

use std::process::Output;

use super::{Site, command, text};

impl Site {
    /// Runs a command in an environment.
    fn crs_in(&self, environment: &[(&str, &str)], line: &str) -> Output {
        let mut command = command(self.home.path(), line);
        command.envs(environment.iter().copied()).output().expect("the binary can be run")
    }

    /// What a command says in Chinese, and its exit code.
    fn zh(&self, line: &str) -> (String, Option<i32>) {
        let output = self.crs_in(&[("CRS_LANG", "zh")], line);
        (text(&output.stdout) + &text(&output.stderr), output.status.code())
    }
}

/// Words that only the English help has.
fn assert_no_english(help: &str) {
    for english in ["Usage", "Options", "Commands", "Arguments", "Everywhere", "Print", "default:"]
    {
        assert!(!help.contains(english), "{english} in\n{help}");
    }
}

#[tokio::test]
async fn help_is_chinese_at_every_level_however_it_is_asked_for() {
    let site = Site::new().await;
    for (line, says) in [
        ("--lang zh --help", "用法：crs [选项] [命令]"),
        ("--help --lang=zh-CN", "通用选项："),
        ("--lang zh_CN.UTF-8", "后续版本提供："),
        ("account -h --lang zh", "添加账户"),
        ("account --lang zh add -h", "--kind <类型>"),
        ("account add --help --lang zh", "- claude_code：仅限 Claude Code"),
        ("--lang zh usage -h", "[默认：7d]"),
        ("--lang zh help key add", "发放一个或多个密钥"),
        ("--lang zh account test -h", "[默认：20s]"),
    ] {
        let output = site.crs_in(&[("LANG", "en_US.UTF-8")], line);
        let help = text(&output.stdout) + &text(&output.stderr);
        assert!(help.contains(says), "{line}:\n{help}");
        assert_no_english(&help);
    }
}

#[tokio::test]
async fn the_flag_wins_over_the_environment() {
    let site = Site::new().await;
    let help =
        |environment: &[(&str, &str)], line: &str| text(&site.crs_in(environment, line).stdout);
    let (english, chinese) = (help(&[], "--help"), help(&[], "--help --lang zh"));
    assert!(english.contains("Usage: crs [OPTIONS] [COMMAND]"), "{english}");
    assert_eq!(help(&[("LANG", "zh_CN.UTF-8")], "--help"), chinese);
    assert_eq!(help(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], "--help"), english);
    assert_eq!(help(&[("LC_ALL", "en_US.UTF-8"), ("CRS_LANG", "zh")], "--help"), chinese);
    assert_eq!(help(&[("CRS_LANG", "zh")], "--lang en --help"), english);
    assert_eq!(help(&[("LANG", "fr_FR.UTF-8")], "--help"), english);
}

#[tokio::test]
async fn wrong_use_is_told_in_chinese_and_ends_as_ever() {
    let site = Site::new().await;
    for (line, says) in [
        ("key add", "错误：缺少以下必需的参数：\n  --name <名称>"),
        ("key add --nme x", "提示：是否想用 '--name'？"),
        ("accounts list", "错误：未知的子命令 'accounts'"),
        ("account list --lang fr", "'--lang <语言>' 的值 'fr' 无效：语言有 en 和 zh"),
        ("account add --name a --kind b", "账户类型有：claude-oauth, claude-api"),
        ("account pause a --all", "不能与以下参数同时使用：\n  --all"),
        ("key add --name a --count 70000", "70000 不在 0 到 65535 之间"),
        ("account set a --clients b", "[可选值：claude_code, any]"),
        ("key set a --expires soon", "无效：不是时长（30d）"),
        ("key add --name a --requests 5", "错误：调用、token 和费用按窗口计数：请给出窗口长度"),
        ("key add --name a --client curl", "错误：没有客户端 \"curl\"；已知的有：claude_code"),
        ("key add --name a --family-budget claude-opus-4-8=1/day", "属于系列 opus"),
        ("account --json", "[子命令：add, list, show,"),
        ("usage --by", "'--by <维度>' 需要一个值"),
        ("backup", "错误：backup 尚未实现：后续版本提供"),
        ("account add --name a --kind claude-api", "错误：请用 --secret-stdin"),
    ] {
        let (said, code) = site.zh(line);
        assert!(said.contains(says), "{line}:\n{said}");
        assert!(said.starts_with("错误："), "{line}:\n{said}");
        assert_eq!(code, Some(2), "{line}");
    }
    let english = site.crs_in(&[("CRS_LANG", "zh")], "account show -- --lang=zh");
    assert!(text(&english.stderr).contains("没有账户 \"--lang=zh\""), "{english:?}");
}

#[tokio::test]
async fn refusals_and_faults_are_told_in_chinese() {
    let site = Site::new().await;
    site.add_account("--name main");
    for (line, says) in [
        ("account show nobody", "错误：没有账户 \"nobody\"\n"),
        ("group join team main", "错误：没有分组 \"team\"\n"),
        ("key add --name acct_1", "错误：名称 \"acct_1\" 的形式与 ID 相同\n"),
        (
            "account set main --priority 1 --name main --header x",
            "错误：--header：请求头写作 'Name: value'\n",
        ),
        ("account import nowhere", "错误：无法读取 nowhere：没有此文件或目录（系统错误 2）\n"),
        ("top", "错误：没有中转服务在使用此数据目录\n"),
        ("usage --data-dir none", "错误：none 没有数据目录：请先用 `crs serve` 启动中转服务"),
    ] {
        let (said, code) = site.zh(line);
        assert!(said.contains(says), "{line}:\n{said}");
        assert!(matches!(code, Some(1 | 2)), "{line}");
    }
    let settings =
        [("LANG", "zh_CN.UTF-8"), ("PORT", "70000"), ("TIMEZONE", "Mars"), ("REDIS_URL", "x")];
    let output = site.crs_in(&settings, "serve");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "错误：设置有误：\n  - TIMEZONE：Mars 不是 IANA 时区，例如 Asia/Shanghai\n  \
         - PORT：不是端口（0 到 65535）\n  - REDIS_URL：尚不支持多节点；请去掉\n"
    );
}

#[tokio::test]
async fn answers_are_chinese_and_json_is_not() {
    let site = Site::new().await;
    assert_eq!(site.zh("account list").0, "还没有账户：crs account add\n");
    site.add_account("--name main --note 办公室");
    site.add_account("--name other --disabled");
    let (list, _) = site.zh("account list");
    assert!(list.starts_with("ID") && list.contains("优先级") && list.contains("可用"), "{list}");
    assert!(list.contains("\nother：已由操作者暂停\n"), "{list}");
    let (show, _) = site.zh("account show main");
    assert!(
        show.contains("名称           main\n") && show.contains("并发上限       不限\n"),
        "{show}"
    );
    let (key, _) = site.zh("key add --name lena");
    assert!(key.contains("\n\n只显示这一次：请立即复制。\n"), "{key}");
    assert!(site.zh("key list").0.contains("进行中"));
    assert_eq!(site.zh("usage --by day").0, "这段时间没有用量\n");
    let english = text(&site.crs("account list --json", "").stdout);
    let (chinese, _) = site.zh("account list --json");
    assert!(english.contains("paused by an operator"), "{english}");
    assert_eq!(chinese, english);
}
