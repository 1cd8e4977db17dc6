//! A foreign rule page is read or refused.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = plumb_catalog::Rule::parse("aws/sqs/queue/fuzz.md", text);
});
