//! Text that seems to hold a credential: which kind, never the value.

use regex::{Regex, RegexSet};
use std::{borrow::Cow, sync::LazyLock};

const KINDS: [(&str, &str); 12] = [
    ("AWS access key id", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("AWS secret access key", r#"(?i)aws_?(?:secret|access)[a-z_]*\s*["']?\s*[:=]\s*["']?[A-Za-z0-9/+=]{40,}"#),
    ("private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    ("password", r#"(?i)(?:password|passwd|pwd|passphrase)["']?\s*[:=]\s*["']?[^\s"'$<{}]{6,}"#),
    ("secret", r#"(?i)(?:secret|api_?key|auth_?token|access_?token)["']?\s*[:=]\s*["']?[A-Za-z0-9/+_\-.=]{12,}"#),
    ("GitHub token", r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}\b"),
    ("Slack token", r"\bxox[baprs]-[A-Za-z0-9-]{10,}"),
    ("Google API key", r"\bAIza[0-9A-Za-z_\-]{35}\b"),
    ("Stripe key", r"\b[rs]k_live_[0-9a-zA-Z]{20,}\b"),
    ("JSON web token", r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"),
    ("credentials in a URL", r"[a-z][a-z0-9+.\-]{1,20}://[^/\s:@]{1,64}:[^/\s:@]{4,}@[^\s/]"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
];

static EACH: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| KINDS.iter().map(|(_, p)| Regex::new(p).ok()).collect());
static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(KINDS.map(|(_, pattern)| pattern)).ok());

/// The kinds of credential that seem to stand in a text, in a fixed order. References such as `${VAR}`,
/// `{{resolve:…}}` and `arn:aws:secretsmanager:…` are not credentials.
pub fn secrets_in(text: &str) -> Vec<&'static str> {
    if !worth_a_look(text) {
        return Vec::new();
    }
    let Some(set) = SET.as_ref() else { return Vec::new() };
    let matched = set.matches(text);
    let marked = |name: &str| text.contains(MARK) && text.contains(&format!("{MARK}{name}]"));
    KINDS
        .iter()
        .enumerate()
        .filter(|(i, (name, _))| matched.matched(*i) || marked(name))
        .map(|(_, (name, _))| *name)
        .collect()
}

/// Whether any of [`KINDS`] or [`MARK`] could stand in a text: each is ten bytes or more, and has a colon, an equals sign
/// or one of these beginnings. Most of what providers answer has none, and this costs a tenth of the patterns.
fn worth_a_look(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes.windows(3).any(|w| {
            matches!(
                w,
                [b':' | b'=', ..]
                    | b"AKI"
                    | b"ASI"
                    | b"AIz"
                    | b"eyJ"
                    | b"xox"
                    | b"npm"
                    | b"_li"
                    | b"---"
                    | b"git"
                    | b"ghp"
                    | b"gho"
                    | b"ghu"
                    | b"ghs"
                    | b"ghr"
            )
        })
}

/// The text with every credential replaced by `[redacted: KIND]`, which [`secrets_in`] still recognises. A text that
/// matches a kind as a whole only is replaced entirely.
pub fn redacted(text: &str) -> Cow<'_, str> {
    // Nearly all texts hold none, and one look tells. Replacing only takes text away, and what it puts there is none.
    if !worth_a_look(text) || SET.as_ref().is_some_and(|set| !set.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut out = Cow::Borrowed(text);
    for ((name, _), pattern) in KINDS.iter().zip(EACH.iter()) {
        let Some(pattern) = pattern else { continue };
        if pattern.is_match(&out) {
            out = Cow::Owned(pattern.replace_all(&out, format!("{MARK}{name}]")).into_owned());
        }
    }
    out
}

/// What a marker begins with.
const MARK: &str = "[redacted: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        assert_eq!(secrets_in(text), want, "{text}");
    }

    #[test]
    fn credentials_are_recognised_by_kind() {
        check("nothing here", &[]);
        check("DB_PASSWORD=Sup3rS3cret!Pa55", &["password"]);
        check("export PASSWORD=$OTHER", &[]);
        check("password={{resolve:secretsmanager:db}}", &[]);
        check("AKIAIOSFODNN7EXAMPLE", &["AWS access key id"]);
        check("aws_secret_access_key=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", &["AWS secret access key"]);
        check("-----BEGIN RSA PRIVATE KEY-----", &["private key"]);
        check("postgres://app:hunter22@db.internal/app", &["credentials in a URL"]);
        check("https://example.com/a:b@c", &[]);
    }

    #[test]
    fn what_is_redacted_is_still_recognised_and_no_longer_readable() {
        for text in
            ["DB_PASSWORD=Sup3rS3cret!Pa55", "key AKIAIOSFODNN7EXAMPLE here", "postgres://app:hunter22@db.internal/app"]
        {
            let clean = redacted(text);
            assert_eq!(secrets_in(text), secrets_in(&clean), "{clean}");
            assert!(!clean.contains("Sup3r") && !clean.contains("AKIA") && !clean.contains("hunter22"), "{clean}");
            assert_eq!(redacted(&clean), clean);
        }
    }

    #[test]
    fn whatever_a_pattern_matches_is_worth_a_look() {
        use proptest::{
            strategy::{Strategy, ValueTree},
            string::string_regex,
            test_runner::TestRunner,
        };
        let mut runner = TestRunner::deterministic();
        for (name, pattern) in KINDS {
            // Only the edges of words are left out: texts are made here, not found.
            let texts = string_regex(&pattern.replace(r"\b", "")).unwrap();
            for _ in 0..200 {
                let text = texts.new_tree(&mut runner).unwrap().current();
                assert!(worth_a_look(&text), "{name}: {text}");
            }
        }
        assert!(worth_a_look(&format!("{MARK}npm token]")));
        assert!(!worth_a_look("eni-0123456789abcdef0") && !worth_a_look("available"));
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(SET.is_some());
    }
}
