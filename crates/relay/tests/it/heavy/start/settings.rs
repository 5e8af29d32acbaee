//! Settings at a start: mistakes, what is not built, what existing installations bring.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{refused, relay_on};
use crate::heavy::site::{Served, Stream};

/// The environment that a claude-relay-service comes with.
const EXISTING: [(&str, &str); 16] = [
    ("TRUST_PROXY", "true"),
    ("ADMIN_USERNAME", ""),
    ("ADMIN_PASSWORD", ""),
    ("TIMEZONE_OFFSET", "8"),
    ("REDIS_HOST", "redis"),
    ("REDIS_PORT", "6379"),
    ("REDIS_PASSWORD", "redis-password-of-old"),
    ("LOG_MAX_SIZE", "10m"),
    ("LOG_MAX_FILES", "5"),
    ("LOG_LEVEL", "info"),
    ("ENABLE_CORS", "true"),
    ("JWT_SECRET", "jwt-secret-of-old"),
    ("NODE_ENV", "production"),
    ("API_KEY_PREFIX", "cr_"),
    ("WEBHOOK_ENABLED", "false"),
    ("REQUEST_TIMEOUT", "600000"),
];

#[tokio::test]
async fn every_mistake_in_the_settings_is_listed_and_nothing_is_made() {
    let home = TempDir::new().expect("a directory");
    let dir = home.path().join("data");
    let wrong = [
        ("LOG_LEVEL", "loud"),
        ("REQUEST_TIMEOUT", "soon"),
        ("TIMEZONE", "Mars/Base"),
        ("DURABILITY", "perhaps"),
        ("TRUST_PROXY", "everyone"),
        ("LOG_MAX_SIZE", "huge"),
        ("DATABASE_URL", "postgres://crs:secret-of-the-database@host/crs"),
    ];
    let builder = wrong.iter().fold(relay_on(&dir), |it, (name, value)| it.env(name, value));
    let output = refused(builder).await;
    for (name, _) in wrong {
        assert!(output.stderr.contains(name), "{name} is missing:\n{}", output.stderr);
    }
    assert!(!output.stderr.contains("secret-of-the-database"), "{}", output.stderr);
    assert!(!Path::new(&dir).exists(), "a start with mistakes makes nothing");
}

#[tokio::test]
async fn settings_of_several_nodes_stop_the_start_until_they_are_built() {
    let given =
        [("DATABASE_URL", "postgres://host/crs"), ("REDIS_URL", "redis://:password@host:6379")];
    for (name, value) in given {
        let home = TempDir::new().expect("a directory");
        let dir = home.path().join("data");
        let output = refused(relay_on(&dir).env(name, value)).await;
        assert!(output.stderr.contains(name), "{}", output.stderr);
        assert!(output.stderr.contains("not built"), "{}", output.stderr);
        assert!(!dir.exists());
    }
}

#[tokio::test]
async fn the_environment_of_an_existing_installation_starts_a_relay() {
    let served = Served::with(&EXISTING).await;
    assert_eq!(served.ask("[[say works]]", Stream::No).await.text(), "works");
    served.relay.until_says("accepted and unused").await;
    let said = served.relay.stdout_text() + &served.relay.stderr_text();
    assert_eq!(said.matches("accepted and unused").count(), 1, "in one line: {said}");
    for name in ["JWT_SECRET", "REDIS_HOST", "NODE_ENV"] {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
    assert!(said.contains("TRUST_PROXY=true is taken as"), "{said}");
    assert!(!said.contains("-of-old"), "a value was said: {said}");
    assert!(said.contains("password: "), "an empty ADMIN_PASSWORD is unset: {said}");
}

#[tokio::test]
async fn an_administrator_of_the_environment_counts_at_the_first_start_only() {
    const PASSWORD: &str = "a-password-from-outside";
    let admin = [("ADMIN_USERNAME", "boss"), ("ADMIN_PASSWORD", PASSWORD)];
    let mut served = Served::with(&admin).await;
    assert!(!served.relay.data_dir().join("init.json").exists(), "it is known already");
    served.stop().await;
    served.relay.restart().await;
    served.relay.until_says("count at the first start only").await;
    let said = served.relay.stdout_text() + &served.relay.stderr_text();
    assert!(!said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn a_data_directory_with_a_long_name_is_as_good_as_another() {
    let home = TempDir::new().expect("a directory");
    let dir =
        home.path().join("a-long-name-".repeat(5)).join("and-another-".repeat(5)).join("data");
    let served = Served::on(relay_on(&dir).start().await).await;
    assert_eq!(served.ask("[[say works]]", Stream::No).await.text(), "works");
    let open = served.client();
    let streaming = open.stream(
        crate::heavy::site::MESSAGES,
        &[],
        crate::heavy::site::body("[[paced 100 20]]", Stream::Yes),
    );
    let streaming = streaming.await;
    crate::heavy::site::until("the call is seen", Duration::from_secs(5), async || {
        let listed = served.relay.crs(&["account", "list", "--json"], "").await.json();
        listed[0]["in_flight"] == 1
    })
    .await;
    drop(streaming);
}
