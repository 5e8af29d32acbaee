//! What the admin API remembers while the program runs.

use super::logins::Logins;

/// What the admin API remembers while the program runs.
#[derive(Debug, Default)]
pub struct Desk {
    /// Sign-ins that have begun.
    pub(super) logins: Logins,
}
