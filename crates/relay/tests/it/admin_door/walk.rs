//! Every route of the document, asked with everything that is not good enough for it.

use std::time::Duration;

use http::Method;
use relay_store::admin_tokens::Scope;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use super::Office;
use crate::kit::START;

/// The routes of the document, with something in the place of each parameter.
fn routes() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&relay::admin::document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut routes = Vec::new();
    for (path, item) in paths {
        let asked: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "main" } else { part }).collect();
        for name in item.as_object().expect("methods").keys() {
            let method = name.to_uppercase().parse().expect("a method");
            routes.push((method, asked.join("/")));
        }
    }
    assert!(routes.len() > 30, "{routes:?}");
    routes
}

/// What is in all tables, but for when somebody who may look was last seen.
async fn dump(office: &Office) -> String {
    let file = office.relay.data_dir().database();
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut database = options.connect().await.expect("a database");
    let names = "select name from sqlite_master where type = 'table' order by name";
    let mut lines = Vec::new();
    for row in sqlx::query(names).fetch_all(&mut database).await.expect("tables") {
        let table: String = row.get(0);
        lines.push(format!("{table}: {:?}", rows(&mut database, &table).await));
    }
    lines.join("\n")
}

async fn rows(database: &mut SqliteConnection, table: &str) -> Vec<String> {
    let columns = sqlx::query("select name from pragma_table_info($1)")
        .bind(table)
        .fetch_all(&mut *database)
        .await
        .expect("columns");
    let columns = columns.iter().map(|row| row.get::<String, _>(0));
    let kept = columns.filter(|name| !["seen_at", "last_used_at"].contains(&name.as_str()));
    let quoted: Vec<String> = kept.map(|name| format!("quote(\"{name}\")")).collect();
    let query = format!("select {} from \"{table}\" order by 1", quoted.join(" || ',' || "));
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(database).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

const SHUT: [u16; 4] = [401, 403, 429, 431];

#[tokio::test]
async fn nobody_gets_through_who_may_not_and_nothing_changes() {
    let office = Office::open(&[]).await;
    let past = START.minus(Duration::from_mins(1));
    let expired = office.token("expired", &[Scope::Read, Scope::Write], Some(past)).await;
    let (_, key) = office.relay.add_secret("a-key").await;
    let over = office.sign_in("ana").await;
    let end = (&Method::DELETE, "/admin/session");
    assert!(office.by(&over, end, &Value::Null).await.status < 300);
    let good = office.token("good", &[Scope::Read, Scope::Write], None).await;
    let hash: String = Sha256Hex::of(good.as_bytes());
    let long = "x".repeat(64 * 1_024);
    let mut bearers: Vec<String> = [
        "",
        " ",
        "admin",
        "null",
        "undefined",
        "true",
        "0",
        "crs_session",
        "ana",
        "good",
        "1",
        "session",
        "*",
        "' or 1=1 --",
    ]
    .map(str::to_owned)
    .into();
    bearers.extend([expired, key, hash, long.clone(), over.cookie.clone()]);
    let cookies = [
        String::new(),
        over.cookie.clone(),
        "crs_session=".to_owned(),
        "crs_session=admin".to_owned(),
        format!("crs_session={good}"),
        format!("crs_session={long}"),
    ];
    let before = dump(&office).await;
    for (method, path) in routes() {
        // The one address that is open: what it refuses is tested for itself.
        if method == Method::POST && path == "/admin/session" {
            continue;
        }
        let what = (&method, path.as_str());
        for bearer in &bearers {
            let header = format!("Bearer {bearer}");
            let headers = [("authorization", header.as_str()), ("x-csrf-token", &*over.csrf)];
            let status = office.ask(what, &headers, &json!({})).await.status;
            assert!(SHUT.contains(&status), "{method} {path} {header:.40}: {status}");
        }
        for cookie in &cookies {
            let headers = [("cookie", cookie.as_str()), ("x-csrf-token", &*over.csrf)];
            let status = office.ask(what, &headers, &json!({})).await.status;
            assert!(SHUT.contains(&status), "{method} {path} {cookie:.40}: {status}");
        }
        assert!(SHUT.contains(&office.ask(what, &[], &Value::Null).await.status), "{path}");
    }
    for (method, path) in [
        (Method::GET, "/admin"),
        (Method::GET, "/admin/"),
        (Method::GET, "/admin/nothing"),
        (Method::OPTIONS, "/admin/accounts"),
        (Method::HEAD, "/admin/accounts"),
        (Method::PUT, "/admin/session"),
        (Method::PATCH, "/admin/openapi.json"),
    ] {
        assert_eq!(office.ask((&method, path), &[], &Value::Null).await.status, 401, "{path}");
    }
    assert_eq!(dump(&office).await, before);
}

#[tokio::test]
async fn who_may_look_changes_nothing() {
    let office = Office::open(&[]).await;
    let ben = office.sign_in("ben").await;
    let reader = office.token("reader", &[Scope::Read], None).await;
    let reader = format!("Bearer {reader}");
    let before = dump(&office).await;
    for (method, path) in routes() {
        let looks = method == Method::GET;
        let own = path.starts_with("/admin/session");
        let what = (&method, path.as_str());
        if path == "/admin/live" {
            // Who may look is told what happens until they leave.
            let headers = [("cookie", &*ben.cookie)];
            let listening = office.client.request("GET", &path, &headers, "").await;
            assert_eq!(listening.status, 200, "{path}");
            listening.leave();
            continue;
        }
        if !own {
            let by_cookie = office.by(&ben, what, &json!({})).await.status;
            assert_eq!(by_cookie == 403, !looks, "{method} {path}: {by_cookie}");
        }
        if !looks || own {
            let headers = [("authorization", reader.as_str())];
            let status = office.ask(what, &headers, &json!({})).await.status;
            let signs_in = method == Method::POST && path == "/admin/session";
            assert!(status == 403 || signs_in, "{method} {path}: {status}");
        }
    }
    assert_eq!(dump(&office).await, before);
}

/// A SHA-256 in hexadecimal: what the table has of a token.
struct Sha256Hex;

impl Sha256Hex {
    fn of(bytes: &[u8]) -> String {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat()
    }
}
