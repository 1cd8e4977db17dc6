//! A foreign kind file is read or refused.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = plumb_catalog::Kind::parse("aws/sqs/queue/kind.toml", text);
});
