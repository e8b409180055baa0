//! How large the program is. The release binary has its bound in `cargo xtask package`, which builds it; here what every
//! CI builds anyway is watched, so that a leap is noticed when it is made.

use std::fs;

use crate::common::report;

/// The most that may be loaded of the program built for tests: it had 32 MiB when this was set.
const MAX_LOADED: u64 = 48 << 20;

/// The bytes of a file that are loaded (ELF-64, little-endian: elf(5), the program headers of type `PT_LOAD`).
fn loaded(elf: &[u8]) -> u64 {
    let number = |at: usize, length: usize| {
        let bytes = elf[at..at + length].iter().rev();
        bytes.fold(0u64, |number, byte| number << 8 | u64::from(*byte))
    };
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01");
    let (table, entry, count) = (number(32, 8), number(54, 2), number(56, 2));
    let headers = (0..count).map(|at| (table + at * entry) as usize);
    let segments = headers.filter(|at| number(*at, 4) == 1);
    segments.map(|at| number(at + 32, 8)).sum()
}

#[test]
fn the_program_does_not_grow_unnoticed() {
    let program = fs::read(env!("CARGO_BIN_EXE_recado")).unwrap();
    let loaded = loaded(&program);
    report(&format!(
        "the program, as built for tests, loads {loaded} bytes"
    ));
    assert!(
        loaded <= MAX_LOADED,
        "it has {loaded} bytes, over {MAX_LOADED}: find out what made it grow, or raise MAX_LOADED"
    );
}
