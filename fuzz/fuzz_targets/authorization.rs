//! Authorization details, an inventory and an organisation, whatever they hold, are assessed or refused.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // One text in three parts, so that the parts can refer to each other.
    let mut parts = text.splitn(3, '\0');
    let details = parts.next().unwrap_or_default();
    let _ = plumb_assess::identity::aws::assess(details, parts.next(), parts.next());
});
