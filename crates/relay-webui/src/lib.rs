//! The files of the web page, as `npm run build` leaves them in `web/dist`.
//!
//! They are within the binary, except in a debug build, which reads them from where they lie. A
//! binary that was built without them has none, and [`is_built`] says so.

use std::borrow::Cow;

use rust_embed::RustEmbed;

/// What is built from `web/src`.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// What is in it.
    pub bytes: Cow<'static, [u8]>,
    /// Its SHA-256.
    pub hash: [u8; 32],
}

/// The file at a path within the page, such as `index.html`.
pub fn file(path: &str) -> Option<File> {
    let found = Dist::get(path)?;
    Some(File { hash: found.metadata.sha256_hash(), bytes: found.data })
}

/// Whether there is a page.
pub fn is_built() -> bool {
    file("index.html").is_some()
}
