//! Rules of Traefik: no text does harm, and one that is read says the same when it is read again.
#![no_main]

use divisi_labels::traefik::rule::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse(text) {
        Ok(parsed) => {
            // White space at either end says nothing.
            let again = parse(&format!(" {text}\n"));
            assert_eq!(again.map(|again| again.rule), Ok(parsed.rule));
        }
        Err(fault) => assert!(text.is_char_boundary(fault.at), "a fault stands where a character begins"),
    }
});
