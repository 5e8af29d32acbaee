//! Tables for other programs (RFC 4180). What a table calculator would take for a formula gets a
//! mark before it, so that a name which somebody chose is never run.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use bytes::Bytes;

/// Rows as they are written.
#[derive(Debug)]
pub(super) struct Table(csv::Writer<Vec<u8>>);

impl Default for Table {
    fn default() -> Self {
        let mut builder = csv::WriterBuilder::new();
        // Pieces of one file are written one by one.
        Self(builder.flexible(true).terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }
}

impl Table {
    /// Adds a row.
    pub(super) fn row<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) {
        let fields = fields.into_iter().map(safe);
        // Writing to memory does not fail.
        let _ = self.0.write_record(fields.map(String::into_bytes));
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into_inner().unwrap_or_default().into()
    }
}

/// A field that is no formula. Numbers stay numbers.
fn safe(field: &str) -> String {
    let begins = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_number = field.parse::<f64>().is_ok();
    if begins && !is_number { format!("'{field}") } else { field.to_owned() }
}

/// What a file of that name is sent with.
pub(super) fn headers(name: &str) -> [(HeaderName, HeaderValue); 2] {
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (CONTENT_DISPOSITION, named.unwrap_or(HeaderValue::from_static("attachment"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_are_not_run() {
        let mut table = Table::default();
        table.row(["plain", "a, \"b\"", "=1+1", "-0.5", "@x", ""]);
        let text = String::from_utf8(table.into_bytes().to_vec()).expect("text");
        assert_eq!(text, "plain,\"a, \"\"b\"\"\",'=1+1,-0.5,'@x,\r\n");
    }
}
