//! The findings as people read them.

use unicode_width::UnicodeWidthStr;

use super::word;
use crate::text::tr;
use crate::verbs::doctor::{Group, Report, State};

/// Lines in groups, and a summary.
pub(super) fn text(report: &Report) -> String {
    let states = [State::Well, State::Note, State::Wrong, State::Skipped].map(word);
    let state_width = states.iter().map(|word| word.width()).max().unwrap_or(0);
    let labels = report.findings.iter().map(|finding| finding.check.label().width());
    let label_width = labels.max().unwrap_or(0);
    let mut text = String::new();
    let mut group: Option<Group> = None;
    for finding in &report.findings {
        let here = finding.check.group();
        if group != Some(here) {
            if group.is_some() {
                text.push('\n');
            }
            text.push_str(&here.title());
            text.push('\n');
            group = Some(here);
        }
        let state = padded(&word(finding.state), state_width);
        let label = padded(&finding.check.label(), label_width);
        let what = finding.what.replace('\n', " ");
        text.extend(["  ", &state, "  ", &label, "  ", &what, "\n"]);
        if let Some(to_do) = &finding.what_to_do {
            let indent = " ".repeat(2 + state_width + 2 + label_width + 2);
            text.extend([&indent, "→ ", to_do, "\n"]);
        }
    }
    let count = |state| report.findings.iter().filter(|it| it.state == state).count();
    let (notes, skipped) = (count(State::Note), count(State::Skipped));
    let summary = match report.wrong {
        0 => tr!("Nothing is wrong. To note: {notes}, skipped: {skipped}.", notes, skipped),
        wrong => {
            tr!("Wrong: {wrong}, to note: {notes}, skipped: {skipped}.", wrong, notes, skipped)
        }
    };
    text + "\n" + &summary
}

/// A text with spaces behind it, up to so many columns: a Chinese letter takes two.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
