//! A short fuzzing with the stable compiler: a mutator that follows from a seed takes the seeds of `fuzz/` and calls what
//! cargo-fuzz calls. It looks at no coverage, so it is no replacement; it keeps the doors open and the seeds good.
//! `OPS_FUZZ_ROUNDS` multiplies the rounds, `OPS_FUZZ_SEED` changes the course.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ops_sdk::fuzzing;
use ops_tests::chaos::rng::Rng;

/// A number that the environment may set.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

/// Changes some bytes: flipped, set, repeated, taken away, or another seed's.
fn mutate(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    const TELLING: [u8; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, b'\n', b'{', b'"', b'[', b'=', b'9'];
    let mut bytes = rng.pick(seeds).clone();
    for _ in 0..rng.between(0, 6) {
        let at = usize::try_from(rng.below(bytes.len() as u64 + 1)).expect("small");
        let end = (at + usize::try_from(rng.between(1, 24)).expect("small")).min(bytes.len());
        match rng.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = *rng.pick(&TELLING),
            2 => bytes.insert(at, *rng.pick(&TELLING)),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => bytes.truncate(at),
            _ => bytes.extend_from_slice(&rng.pick(seeds)[..]),
        }
    }
    bytes
}

/// Calls a target with every seed and so many mutations. Says with which bytes it failed.
fn fuzz(target: &str, rounds: u64, run: fn(&[u8])) {
    let seeds = seeds(target);
    let seed = number("OPS_FUZZ_SEED", 1);
    let mut rng = Rng::of(&[seed, target.len() as u64]);
    let mutations = (0..rounds * number("OPS_FUZZ_ROUNDS", 1)).map(|_| mutate(&mut rng, &seeds));
    for bytes in seeds.iter().cloned().chain(mutations) {
        let ended = catch_unwind(AssertUnwindSafe(|| run(&bytes)));
        assert!(ended.is_ok(), "{target} of seed {seed} fails with {}", bytes.escape_ascii());
    }
}

#[test]
fn records() {
    fuzz("record", 30_000, fuzzing::fuzz_record);
}

#[test]
fn blocks_of_events() {
    fuzz("block", 30_000, fuzzing::fuzz_block);
}

#[test]
fn arenas_of_dead_processes() {
    fuzz("arena", 100, fuzzing::fuzz_arena);
}

#[test]
fn parts() {
    fuzz("parts", 10_000, fuzzing::fuzz_parts);
}

#[test]
fn answers_of_servers() {
    fuzz("answer", 1_000, fuzzing::fuzz_answer);
}

#[test]
fn files_of_aws() {
    fuzz("aws_files", 2_000, fuzzing::fuzz_aws_files);
}

#[test]
fn journals_on_a_disk_that_changes_them() {
    fuzz("journal", 400, fuzzing::fuzz_journal);
}

#[test]
fn seeds_are_read_and_their_mutations_often() {
    for seed in seeds("record") {
        assert!(ops_sdk::encode::binary::decode(&seed).is_ok(), "{}", seed.escape_ascii());
    }
    let (mut rng, seeds) = (Rng::of(&[1]), seeds("record"));
    let read =
        (0..2_000).filter(|_| ops_sdk::encode::binary::decode(&mutate(&mut rng, &seeds)).is_ok()).count();
    assert!(
        (200..1_900).contains(&read),
        "{read} of 2,000 mutations are records: neither noise nor the seeds alone"
    );
}

#[test]
fn what_fails_is_said_with_its_bytes() {
    let failed = catch_unwind(|| fuzz("parts", 200, |bytes| assert!(!bytes.starts_with(b"one"))));
    let said = failed.expect_err("a seed begins so");
    let said = said.downcast_ref::<String>().expect("words");
    assert!(said.contains("parts of seed 1 fails with one\\ntwo"), "{said}");
}
