//! No crate depends up or sideways: `ARCHITECTURE.md` tells the layers, this table holds them.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Layer of each crate, also of those that are still to come.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["remassist-core"]),
    (
        1,
        &[
            "ra-connstring",
            "ra-invitation",
            "ra-channel",
            "rccommand",
            "comqc-format",
            "msmq-packet",
            "ndr-oaut",
        ],
    ),
    (2, &["ra-session", "comqc-session", "msmq-session", "rdp-standard-security", "dce-rpc"]),
    (3, &["rpc-net"]),
    (4, &["ra-rdp", "ra-dcom", "comqc-msmq"]),
    (5, &["remassist", "remassist-cli"]),
];

/// Inside the highest layer the program stands on the facade.
const SIDEWAYS: &[(&str, &str)] = &[("remassist-cli", "remassist")];

/// Tests, benchmarks, examples and tools stand outside; only they may use testkit.
const OUTSIDE: &[&str] = &["testkit", "xtask", "suite-tests", "suite-benches", "suite-examples"];
const USERS_OF_TESTKIT: &[&str] = &["suite-tests", "suite-benches"];

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(layer, _)| *layer)
}

/// What is wrong with the dependencies of the crates given: by name, with the kind of each.
fn faults(crates: &BTreeMap<String, Vec<(String, bool)>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, dependencies) in crates {
        let outside = OUTSIDE.contains(&name.as_str());
        let own = layer(name);
        if own.is_none() && !outside {
            faults.push(format!("{name} stands in no layer"));
        }
        for (dependency, for_tests) in dependencies.iter().filter(|(d, _)| crates.contains_key(d)) {
            if dependency == "testkit" {
                if !USERS_OF_TESTKIT.contains(&name.as_str()) {
                    faults.push(format!("{name} uses testkit"));
                }
            } else if !outside && !for_tests {
                let below = own.zip(layer(dependency)).is_some_and(|(own, its)| its < own);
                if !below && !SIDEWAYS.contains(&(name, dependency)) {
                    faults.push(format!("{name} depends on {dependency}, which is not below it"));
                }
            }
        }
    }
    faults
}

#[test]
fn no_dependency_goes_up_or_sideways() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let crates: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let names = dependencies.iter().map(|d| (text(&d["name"]), d["kind"] == "dev")).collect();
            (text(&package["name"]), names)
        })
        .collect();
    assert!(crates.len() >= 14, "{crates:?}");
    assert_eq!(faults(&crates), [""; 0]);
}

#[test]
fn the_rule_sees_faults() {
    let wrong = |name: &str, dependency: &str, for_tests| {
        let all = LAYERS.iter().flat_map(|(_, names)| *names).chain(OUTSIDE).chain(&["new"]);
        let mut crates: BTreeMap<String, Vec<_>> = all.map(|n| ((*n).to_owned(), Vec::new())).collect();
        crates.remove(if name == "new" { "" } else { "new" });
        crates.insert(name.to_owned(), vec![(dependency.to_owned(), for_tests)]);
        faults(&crates).join("; ")
    };
    assert_eq!(wrong("ra-session", "ra-channel", false), "");
    assert_eq!(wrong("ra-channel", "serde", false), "");
    assert_eq!(wrong("remassist-cli", "remassist", false), "");
    assert_eq!(wrong("ra-channel", "comqc-format", true), "");
    assert_eq!(wrong("suite-tests", "testkit", true), "");
    for (name, dependency) in [
        ("ra-channel", "comqc-format"),
        ("remassist-core", "ra-channel"),
        ("remassist", "remassist-cli"),
        ("remassist-core", "xtask"),
    ] {
        assert_eq!(
            wrong(name, dependency, false),
            format!("{name} depends on {dependency}, which is not below it")
        );
    }
    assert_eq!(wrong("ra-channel", "testkit", true), "ra-channel uses testkit");
    assert!(wrong("new", "serde", false).contains("new stands in no layer"));
}
