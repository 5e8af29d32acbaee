//! Whether the master key is there and the one that the database is sealed under.

use relay_store::vault::{KeyOrigin, VaultError};

use super::{Check, Finding};
use crate::text::{retold, spoken, tr};

/// What was found of the master key.
#[derive(Debug)]
pub enum Found {
    /// It is there.
    Key {
        /// Where it was.
        origin: KeyOrigin,
        /// Whether it stands in its file too.
        in_file: bool,
        /// How it goes with the database.
        fits: Fits,
    },
    /// It cannot be had.
    Fails(VaultError),
}

/// Whether a key opens what the database has sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fits {
    /// It opens the sealed check.
    Yes,
    /// It does not.
    No,
    /// There is no database to try it on.
    Untried,
}

/// Judges the master key. `has_database` tells whether there are records that need one.
pub fn judge(found: &Found, has_database: bool) -> Finding {
    let check = Check::MasterKey;
    match found {
        Found::Key { origin, in_file, fits } => key(*origin, *in_file, *fits),
        Found::Fails(VaultError::MissingMasterKey { .. }) if !has_database => {
            Finding::note(check, tr!("there is none yet; the first start makes it"))
        }
        Found::Fails(VaultError::MissingMasterKey { path }) => {
            let what = tr!("it is missing, and without it nothing that is sealed can be read");
            let to_do = tr!(
                "put {path} back from a backup, or set ENCRYPTION_KEY to the key that this relay \
                 was started with",
                path = path.display()
            );
            Finding::wrong(check, what, to_do)
        }
        Found::Fails(VaultError::KeysDisagree { path }) => {
            let path = path.display();
            let what = tr!("ENCRYPTION_KEY and {path} are different keys", path);
            let to_do = tr!("remove the one that this relay was not started with");
            Finding::wrong(check, what, to_do)
        }
        Found::Fails(VaultError::KeyTooShort { .. } | VaultError::KeyIsSample) => {
            let what =
                tr!("ENCRYPTION_KEY is too short, a sample or a pattern: anyone could guess it");
            let to_do =
                tr!("make a good one with `openssl rand -hex 32`, or leave it out for a new relay");
            Finding::wrong(check, what, to_do)
        }
        Found::Fails(VaultError::MalformedKeyFile { path }) => {
            let what = tr!("{path} is damaged", path = path.display());
            Finding::wrong(check, what, tr!("put it back from a backup"))
        }
        Found::Fails(VaultError::ReadKeyFile { path, source }) => {
            let what = tr!(
                "{path} cannot be read: {why}",
                path = path.display(),
                why = retold(&source.to_string(), spoken())
            );
            let to_do = tr!("run this as the user that the relay runs as, or as root");
            Finding::wrong(check, what, to_do)
        }
        Found::Fails(other) => {
            let what = retold(&other.to_string(), spoken());
            Finding::wrong(check, what, tr!("put it back from a backup"))
        }
    }
}

/// The file with the first administrator's password; without a database there is no administrator.
pub fn judge_first_password(is_there: bool, has_database: bool) -> Finding {
    if !is_there && !has_database {
        let what = tr!("there is none yet; the first start makes it");
        return Finding::skipped(Check::FirstPassword, what);
    }
    if is_there {
        let what = tr!("init.json still holds the administrator's first password");
        let to_do = tr!("change it with `crs admin reset-password`, which removes the file");
        Finding::note(Check::FirstPassword, what).to_do(to_do)
    } else {
        Finding::well(Check::FirstPassword, tr!("was changed or given"))
    }
}

fn key(origin: KeyOrigin, in_file: bool, fits: Fits) -> Finding {
    let check = Check::MasterKey;
    let place = match (origin, in_file) {
        (KeyOrigin::Environment, true) => tr!("ENCRYPTION_KEY and master.key, which agree"),
        (KeyOrigin::Environment, false) => "ENCRYPTION_KEY".to_owned(),
        (KeyOrigin::File | KeyOrigin::Generated, _) => "master.key".to_owned(),
    };
    match fits {
        Fits::Yes => Finding::well(check, tr!("{place}; it opens the database", place)),
        Fits::Untried => {
            Finding::note(check, tr!("{place}; there is no database to try it on", place))
        }
        Fits::No => {
            let what = tr!("it is not the one that the database was made with ({place})", place);
            let to_do = tr!("put back the key that this relay was started with, as master.key or \
                 ENCRYPTION_KEY; the relay does not start with another, and changes nothing");
            Finding::wrong(check, what, to_do)
        }
    }
}
