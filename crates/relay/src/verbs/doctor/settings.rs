//! Whether the settings are understood, and in which zone days begin.

use super::{Check, Finding};
use crate::text::{retold, spoken, tr};

/// What is judged of a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name; `None` if neither a setting nor the system gives one.
    pub name: Option<String>,
    /// The present there.
    pub local: String,
}

/// Every mistake and every remark on the settings.
pub fn judge(mistakes: &[String], remarks: &[String]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for mistake in mistakes {
        let to_do = tr!("the relay does not start until this is put right or taken away");
        findings.push(Finding::wrong(Check::Settings, retold(mistake, spoken()), to_do));
    }
    findings.extend(
        remarks.iter().map(|remark| Finding::note(Check::Settings, retold(remark, spoken()))),
    );
    if findings.is_empty() {
        findings.push(Finding::well(Check::Settings, tr!("all are understood")));
    }
    findings
}

/// In which zone days, weeks and resets are.
pub fn judge_zone(zone: &Zone) -> Finding {
    let local = &zone.local;
    if let Some(name) = &zone.name {
        return Finding::well(Check::TimeZone, tr!("{name}: it is {local}", name, local));
    }
    let what = tr!("not known, so days begin in UTC: it is {local}", local);
    let to_do = tr!("set TIMEZONE, such as TIMEZONE=Asia/Shanghai");
    Finding::note(Check::TimeZone, what).to_do(to_do)
}
