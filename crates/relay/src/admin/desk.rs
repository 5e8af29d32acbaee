//! What the admin API remembers while the program runs.

/// What the admin API remembers while the program runs.
#[derive(Debug, Default)]
pub struct Desk {}
