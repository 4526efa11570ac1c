//! Seeds of the fuzz targets of recorder, player, tables and the filter of headers, damaged at random.

use std::path::Path;
use std::time::Instant;

use testkit::measure::{Random, record, soak};

const TARGETS: [&str; 3] = ["comqc_player", "comqc_interface", "comqc_filter"];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn damage_at_random_keeps_the_laws() {
    let began = Instant::now();
    let mut random = Random::seeded();
    let rounds = if soak() { 400_000 } else { 8_000 };
    for target in TARGETS {
        let seeds = seeds(target);
        for _ in 0..rounds {
            let mut below = |max: usize| random.number() as usize % max.max(1);
            let mut input = seeds[below(seeds.len())].clone();
            for _ in 0..=below(3) {
                let (at, len) = (below(input.len()), input.len());
                match below(6) {
                    0 => input[at] ^= 1 << below(8),
                    1 => input[at] = below(256) as u8,
                    2 => input.truncate(at),
                    3 => input.insert(at, below(256) as u8),
                    // A number of a header or count.
                    4 if at + 4 <= len => {
                        input[at..at + 4].copy_from_slice(&(below(40) as u32).to_le_bytes())
                    }
                    _ => {
                        let end = (at + 1 + below(64)).min(len);
                        let piece = input[at..end].to_vec();
                        input.splice(at..at, piece);
                    }
                }
                if input.is_empty() {
                    input.push(0);
                }
            }
            testkit::oracles::run(target, &input);
        }
    }
    record("damaged messages and parameters of queued components", began, rounds * TARGETS.len());
}
