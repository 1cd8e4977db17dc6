//! Terraform configuration, whatever it holds, is read with its problems named.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plumb_iac::{MemoryFiles, terraform};

fuzz_target!(|text: &str| {
    let files: MemoryFiles = MemoryFiles::new([("main.tf", text)]);
    let _ = terraform::read(&files, &terraform::Options::default());
});
