//! Every corpus through its oracle, and nothing forgotten: oracles, fuzz targets and corpora belong together.

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use testkit::oracles;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Names in a folder; none when there is no folder.
fn names(folder: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(fuzz().join(folder)) else { return BTreeSet::new() };
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn targets() -> BTreeSet<String> {
    names("fuzz_targets").iter().map(|n| n.strip_suffix(".rs").expect("a target").to_owned()).collect()
}

#[test]
fn every_target_has_one_oracle_and_every_oracle_one_target() {
    let registered: Vec<_> = oracles::all().map(|(name, _)| name.to_owned()).collect();
    let unique: BTreeSet<_> = registered.iter().cloned().collect();
    assert_eq!(unique.len(), registered.len(), "an oracle is registered twice: {registered:?}");
    assert_eq!(targets(), unique, "fuzz targets (left) and oracles (right)");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in targets() {
        let path = format!("fuzz_targets/{target}.rs");
        let bin = format!("[[bin]]\nname = \"{target}\"\npath = \"{path}\"\n");
        assert!(manifest.contains(&bin), "fuzz/Cargo.toml has no [[bin]] {target}");
        let source = fs::read_to_string(fuzz().join(path)).unwrap();
        assert!(
            source.contains(&format!("oracles::run(\"{target}\", input)")),
            "{target} runs another oracle"
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), targets().len(), "fuzz/Cargo.toml has other targets");
}

#[test]
fn every_seed_passes_its_oracle() {
    let mut failures = Vec::new();
    for folder in ["corpus", "regressions"] {
        for unknown in names(folder).difference(&targets()) {
            failures.push(format!("fuzz/{folder}/{unknown} belongs to no target"));
        }
    }
    for (target, oracle) in oracles::all() {
        let mut seeds = 0;
        for folder in [format!("corpus/{target}"), format!("regressions/{target}")] {
            for name in names(&folder) {
                let input = fs::read(fuzz().join(&folder).join(&name)).unwrap();
                seeds += 1;
                if panic::catch_unwind(|| oracle(&input)).is_err() {
                    failures.push(format!("fuzz/{folder}/{name} breaks a law of {target}"));
                }
            }
        }
        if seeds == 0 {
            failures.push(format!("{target} has no seed in fuzz/corpus/{target}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
