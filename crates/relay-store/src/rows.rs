//! Statements that write many rows at a time.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, Type};

/// How many rows one statement takes. Few sizes mean few texts, so each is prepared once for each
/// connection; powers of two cut any number of rows into few runs, and each statement costs two
/// changes of thread, as much as ten rows. 128 rows of the widest table stay far below the engines'
/// 32,766 parameters.
const SIZES: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// Cuts `rows` into runs of the sizes that statements come in.
pub(crate) fn runs<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (run, rest) = rows.split_at(size);
        rows = rest;
        Some(run)
    })
}

/// The text `head (?, …), (?, …), … tail` for `rows` rows of `columns` values.
///
/// The parameters are SQLite's anonymous ones: the driver asks for the name of each, and SQLite
/// finds the name of one such as `$7` by walking the list of all names, which with thousands of
/// them makes a call cost several times as much (once 153 instead of 25 µs a row).
/// PostgreSQL will need `$1` and so on here, and only here.
pub(crate) fn text(
    head: &'static str,
    (rows, columns): (usize, usize),
    tail: &'static str,
) -> AssertSqlSafe<String> {
    let row = format!("({})", ["?"].repeat(columns).join(", "));
    AssertSqlSafe(format!("{head} {} {tail}", [row.as_str()].repeat(rows).join(", ")))
}

/// The values of such a statement, in order.
#[derive(Default)]
pub(crate) struct Values(SqliteArguments);

impl Values {
    /// Room for `rows` rows of `columns` values.
    pub(crate) fn with_room((rows, columns): (usize, usize)) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(rows * columns, 0);
        Self(arguments)
    }

    /// Adds the next value.
    pub(crate) fn add<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        self.0.add(value).expect("numbers, texts and bytes always encode");
        self
    }

    /// The values for the driver.
    pub(crate) fn into_arguments(self) -> SqliteArguments {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;

    use super::*;

    #[test]
    fn runs_cover_every_row_once_and_in_order() {
        for count in 0..350_usize {
            let rows: Vec<usize> = (0..count).collect();
            let cut: Vec<&[usize]> = runs(&rows).collect();
            assert_eq!(cut.concat(), rows);
            assert!(cut.iter().all(|run| SIZES.contains(&run.len())));
        }
    }

    #[test]
    fn the_text_has_a_parameter_for_each_value() {
        let sql = text("insert into t (a, b) values", (2, 2), "returning a").into_sql_str();
        assert_eq!(sql.as_str(), "insert into t (a, b) values (?, ?), (?, ?) returning a");
    }
}
