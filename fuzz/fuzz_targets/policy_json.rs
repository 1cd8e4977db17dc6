//! A policy and a request for a decision, whatever they hold, are answered.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = plumb_assess::policy::Document::parse(text);
    let _ = plumb_assess::identity::aws::can_line(text);
});
