//! Memory that was in use goes back to the kernel, though nobody asks for any more of it.

use std::fs;
use std::hint::black_box;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What this process has, in pages.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second number")
}

#[test]
fn what_a_burst_has_used_goes_back() {
    const BLOCKS: usize = 20_000;
    let before = resident();
    let burst: Vec<Vec<u8>> = (0..BLOCKS).map(|_| black_box(vec![1; 4096])).collect();
    let most = resident() - before;
    assert!(most >= BLOCKS, "{most} pages for {BLOCKS}");
    drop(burst);
    let end = Instant::now() + Duration::from_secs(20);
    while resident().saturating_sub(before) > most / 4 {
        assert!(Instant::now() < end, "{} of {most} pages are still here", resident().saturating_sub(before));
        sleep(Duration::from_millis(100));
        divisi_kernel::give_back_memory();
    }
}
