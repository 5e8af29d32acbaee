//! Names under which one model goes: `us.anthropic.claude-opus-4-8-v1:0`,
//! `anthropic/claude-opus-4.8`, `claude-opus-4-8@20260401` are all `claude-opus-4-8`.

/// The forms of a model's name in lower case, the fullest first.
pub(super) struct Name {
    /// The name as given, then without path, vendor, version, date.
    pub(super) forms: Vec<String>,
    /// Whether it names a vendor the way that Amazon Bedrock does: `anthropic.claude-…`.
    pub(super) vendor_dotted: bool,
}

impl Name {
    pub(super) fn of(model: &str) -> Self {
        let full = model.trim().to_ascii_lowercase();
        let marked = full.strip_suffix(']').and_then(|text| text.rsplit_once('['));
        let full_name = marked.map_or(full.as_str(), |(name, _context)| name);
        let last = full_name.rsplit('/').next().unwrap_or(full_name);
        let bare = without_vendor(last);
        let mut forms = vec![full_name.to_owned()];
        for start in [last, bare] {
            let mut form = start.to_owned();
            loop {
                let next = shorter(&form);
                if !forms.contains(&form) {
                    forms.push(form);
                }
                let Some(next) = next else { break };
                form = next;
            }
        }
        Self { vendor_dotted: bare.len() < last.len(), forms }
    }
}

/// Cuts off leading parts such as `us.` and `anthropic.`: letters and hyphens up to a full stop.
/// Versions (`gpt-5.5`) have digits before theirs.
fn without_vendor(name: &str) -> &str {
    let mut rest = name;
    while let Some((part, after)) = rest.split_once('.') {
        let word = part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let goes_on = after.starts_with(|first: char| first.is_ascii_lowercase());
        if !word || !goes_on || part.is_empty() {
            break;
        }
        rest = after;
    }
    rest
}

/// The name without its last addition, or with a compact date spelt out; `None` if it is plain.
fn shorter(name: &str) -> Option<String> {
    if let Some((start, _)) = name.rsplit_once(['@', ':']) {
        return Some(start.to_owned());
    }
    if let Some(start) = name.strip_suffix("-latest") {
        return Some(start.to_owned());
    }
    let (start, last) = name.rsplit_once('-')?;
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if digits(last, 8) && last.starts_with("20") {
        return Some(format!("{start}-{}-{}-{}", &last[..4], &last[4..6], &last[6..]));
    }
    if digits(last, 2)
        && let Some((start, month)) = start.rsplit_once('-')
        && let Some((start, year)) = start.rsplit_once('-')
        && digits(month, 2)
        && digits(year, 4)
    {
        return Some(start.to_owned());
    }
    // Bedrock counts revisions of the same model; elsewhere `-v3` is part of a name.
    let revision = last.strip_prefix('v').is_some_and(|number| digits(number, 1));
    (revision && name.contains("claude-")).then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_comes_to_the_plain_one() {
        let plain = |model: &str| Name::of(model).forms.pop();
        for name in [
            "claude-opus-4-8",
            "Claude-Opus-4-8",
            "claude-opus-4-8[1m]",
            "anthropic/claude-opus-4-8",
            "openrouter/anthropic/claude-opus-4-8:beta",
            "us.anthropic.claude-opus-4-8-v1:0",
            "us-gov.anthropic.claude-opus-4-8-20260401-v1:0",
            "claude-opus-4-8@20260401",
            "claude-opus-4-8-20260401",
            "claude-opus-4-8-2026-04-01",
            "claude-opus-4-8-latest",
        ] {
            assert_eq!(plain(name).as_deref(), Some("claude-opus-4-8"), "{name}");
        }
        assert_eq!(plain("gpt-5.5").as_deref(), Some("gpt-5.5"));
        assert_eq!(plain("models/gemini-3.1-pro").as_deref(), Some("gemini-3.1-pro"));
        assert_eq!(plain("deepseek-v3").as_deref(), Some("deepseek-v3"));
        assert_eq!(plain("").as_deref(), Some(""));
    }

    #[test]
    fn a_compact_date_is_first_spelt_out() {
        let forms = Name::of("gpt-4o-20240513").forms;
        assert_eq!(forms, ["gpt-4o-20240513", "gpt-4o-2024-05-13", "gpt-4o"]);
    }

    #[test]
    fn only_bedrock_dots_its_vendors() {
        assert!(Name::of("eu.anthropic.claude-opus-4-8").vendor_dotted);
        assert!(Name::of("openai.gpt-5.5").vendor_dotted);
        assert!(!Name::of("gpt-5.5").vendor_dotted);
        assert!(!Name::of("anthropic/claude-opus-4.8").vendor_dotted);
    }
}
