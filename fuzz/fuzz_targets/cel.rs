//! A foreign expression never panics or hangs the parser.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = plumb_cel::parse(text, &plumb_cel::Limits::default());
});
