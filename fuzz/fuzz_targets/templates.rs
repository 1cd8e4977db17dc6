//! CloudFormation, ARM and Bicep, whatever they hold, are read with their problems named.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plumb_iac::{MemoryFiles, templates};

fuzz_target!(|text: &str| {
    for name in ["t.yaml", "t.json", "t.bicep"] {
        let files: MemoryFiles = MemoryFiles::new([(name, text)]);
        let _ = templates::read(&files);
    }
});
