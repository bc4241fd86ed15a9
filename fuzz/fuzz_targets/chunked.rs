//! Chunked bodies: the same data and the same verdict however the bytes are cut, and never a byte of the next message.
#![no_main]

use divisi_http1::chunked::Chunked;
use divisi_http1::{HeadLimits, trailer};
use libfuzzer_sys::fuzz_target;

/// Data, bytes used, and whether the end was reached; `None` where the body is refused.
fn decode(body: &[u8], cut: usize) -> Option<(Vec<u8>, usize, bool)> {
    let (mut chunked, mut window, mut data, mut used) = (Chunked::default(), Vec::new(), Vec::new(), 0);
    for piece in body.chunks(cut) {
        window.extend_from_slice(piece);
        let step = chunked.decode(&mut window).ok()?;
        data.extend_from_slice(&window[step.data]);
        used += step.consumed;
        if let Some(section) = step.end {
            let mut out = Vec::new();
            if trailer::copy_allowed(&window[section], HeadLimits::default(), &mut out).is_ok() {
                let mut lines = out.split(|byte| *byte == b'\n');
                assert!(!lines.any(|line| line.to_ascii_lowercase().starts_with(b"content-length:")));
            }
            return Some((data, used, true));
        }
        window.drain(..step.consumed);
    }
    Some((data, used, false))
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, body)) = input.split_first() else { return };
    let (whole, cut) = (decode(body, body.len().max(1)), decode(body, usize::from(*cut % 32) + 1));
    match (whole, cut) {
        (None, None) => {}
        // What comes behind the end is only looked at where it comes with it, and is never a part of the body.
        (Some(whole), Some(cut)) => assert_eq!((whole.0, whole.2), (cut.0, cut.2)),
        (whole, cut) => panic!("the cut decides: {whole:?} {cut:?}"),
    }
});
