//! The one place that prints: a text for people, or one JSON value for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::steering::steers;

/// What commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Words and tables.
    Text,
    /// One JSON value.
    Json,
}

impl Form {
    /// Prints an answer, as JSON or as the text that `text` makes of it.
    pub(super) fn answer<T: Serialize + ?Sized>(
        self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<ExitCode> {
        let text = match self {
            Self::Text => tame(&text(answer)),
            Self::Json => serde_json::to_string_pretty(answer).context("cannot write JSON")?,
        };
        write(&text)
    }
}

/// Prints a text as lines of its own. Whoever stops listening has read enough.
pub(super) fn write(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A column of a table, by its name.
pub(super) enum Column<N = String> {
    /// Words, to the left.
    Words(N),
    /// Numbers, to the right.
    Number(N),
}

/// A plain table; without rows, the words that say so.
pub(super) fn table<N: AsRef<str>>(
    columns: &[Column<N>],
    rows: Vec<Vec<String>>,
    nothing: &str,
) -> String {
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|column| match column {
        Column::Words(name) | Column::Number(name) => name.as_ref(),
    }));
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(|cell| line(&cell))));
    for (shown, column) in table.column_iter_mut().zip(columns) {
        shown.set_padding((0, 2));
        if let Column::Number(_) = column {
            shown.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Names and values below one another, without those that are empty.
pub(super) fn facts<N: AsRef<str>>(facts: &[(N, String)]) -> String {
    // A Chinese letter takes two columns.
    let width = facts.iter().map(|(name, _)| name.as_ref().width()).max().unwrap_or(0);
    let fact = |(name, value): &(N, String)| {
        let name = name.as_ref();
        let gap = " ".repeat(width.saturating_sub(name.width()));
        format!("{name}{gap}  {}\n", line(value))
    };
    facts.iter().filter(|(_, value)| !value.is_empty()).map(fact).collect()
}

/// A text of at most so many columns; where it was cut, a mark says so.
pub(super) fn cut(text: &str, width_max: usize) -> String {
    let text = line(text);
    if text.width() <= width_max {
        return text;
    }
    let mut room = width_max.saturating_sub(1);
    let fits = |letter: &char| {
        let width = letter.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// A text of one line, of which no character steers the terminal: much of what is shown was
/// written by strangers.
fn line(text: &str) -> String {
    text.replace(steers, " ")
}

/// The same for a text of several lines.
fn tame(text: &str) -> String {
    text.replace(|letter| letter != '\n' && steers(letter), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain_and_numbers_stand_to_the_right() {
        let columns = [Column::Words("name"), Column::Number("calls")];
        let rows = vec![
            vec!["办公室".to_owned(), "7".to_owned()],
            vec!["a".to_owned(), "12345".to_owned()],
        ];
        insta::assert_snapshot!(table(&columns, rows, "none"), @r"
        name    calls
        办公室      7
        a       12345
        ");
        assert_eq!(table(&columns, Vec::new(), "none"), "none");
    }

    #[test]
    fn nothing_that_is_shown_steers_the_terminal() {
        let evil = "a\x1b]0;title\x07\u{9b}2J\u{202e}\r\nb";
        let columns = [Column::Words("model")];
        let table = table(&columns, vec![vec![evil.to_owned()]], "none");
        let shown = [table, facts(&[("model", evil.to_owned())]), cut(evil, 99), tame(evil)];
        for text in &shown {
            let steering = text.chars().filter(|letter| *letter != '\n' && steers(*letter));
            assert_eq!(steering.count(), 0, "{text:?}");
            assert!(text.contains("title") && text.contains('b'), "{text:?}");
        }
        assert_eq!(shown[0].lines().count(), 2, "no row more than there are: {:?}", shown[0]);
        assert_eq!((shown[1].lines().count(), shown[2].lines().count()), (1, 1));
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let facts = facts(&[("name", "a".into()), ("note", String::new()), ("owner", "b".into())]);
        assert_eq!(facts, "name   a\nowner  b\n");
    }

    #[test]
    fn chinese_letters_take_two_columns() {
        let facts = facts(&[("名称", "a".into()), ("id", "b".into()), ("备注", "c".into())]);
        assert_eq!(facts, "名称  a\nid    b\n备注  c\n");
        assert_eq!(
            [cut("办公室", 6), cut("办公室", 5), cut("办公室", 4)],
            ["办公室", "办公…", "办…"]
        );
    }
}
