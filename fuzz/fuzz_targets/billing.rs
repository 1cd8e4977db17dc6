//! A billing, sign-in or archive file, whatever it holds, is read with its problems named.
#![no_main]
use libfuzzer_sys::fuzz_target;
use plumb_discover::{Mapping, SourceKind, read};

fuzz_target!(|bytes: &[u8]| {
    for kind in SourceKind::ALL {
        let _ = read(*kind, &mut &*bytes, &Mapping::default());
    }
});
