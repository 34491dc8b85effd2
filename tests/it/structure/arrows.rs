//! The manifests of the workspace against the arrows of ARCHITECTURE.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each part of the workspace may depend on. Everything may use `types`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("json_schema", &[]),
    ("lua", &[]),
    ("billing", &[]),
    ("platform", &[]),
    ("workflow", &["lua", "json_schema"]),
    ("engine", &["billing", "workflow"]),
    ("store", &["engine", "billing", "workflow", "platform"]),
    ("clients", &["billing", "workflow", "json_schema", "platform"]),
    ("services", &["store", "clients", "lua", "engine", "billing", "workflow", "json_schema", "platform"]),
    ("worker", &["services", "engine", "workflow", "platform"]),
    ("api", &["services", "platform"]),
    (
        "shared",
        &[
            "api",
            "billing",
            "clients",
            "engine",
            "json_schema",
            "lua",
            "platform",
            "services",
            "store",
            "worker",
            "workflow",
        ],
    ),
    ("embedded", &["platform"]),
    ("functions", &["shared"]),
    ("local", &["functions", "shared", "embedded"]),
    ("tests", &["local", "functions", "shared", "embedded"]),
];
/// What their tests may use besides.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[("store", &["embedded"]), ("services", &["embedded"])];
/// The crates that functions reach through services only.
const BELOW_SERVICES: [&str; 4] = ["store", "clients", "platform", "engine"];

/// A dependency between two parts of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
    in_tests: bool,
}

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The part of the workspace that a package's directory is.
fn part(directory: &Path) -> Option<String> {
    let relative = directory.strip_prefix(root()).ok()?.to_str()?;
    Some(match relative.split_once('/') {
        Some(("shared", name)) => name.to_owned(),
        Some((first, _)) => first.to_owned(),
        None => relative.to_owned(),
    })
}

fn arrows() -> BTreeSet<Arrow> {
    let metadata = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let mut found = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let from = part(manifest.parent().unwrap()).unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(to) = dependency["path"].as_str().and_then(|path| part(Path::new(path))) else {
                continue;
            };
            found.insert(Arrow { from: from.clone(), to, in_tests: dependency["kind"] == "dev" });
        }
    }
    found
}

fn is_allowed(arrow: &Arrow) -> bool {
    let among = |table: &[(&str, &[&str])]| {
        table.iter().any(|(from, to)| *from == arrow.from && to.contains(&arrow.to.as_str()))
    };
    arrow.to == "types" || among(ALLOWED) || arrow.in_tests && among(ALLOWED_IN_TESTS)
}

#[test]
fn crates_depend_only_on_those_below_them() {
    let found = arrows();
    assert!(found.len() > 50, "the manifests were not read: {found:?}");
    let wrong: Vec<&Arrow> = found.iter().filter(|arrow| !is_allowed(arrow)).collect();
    assert!(wrong.is_empty(), "arrows that ARCHITECTURE.md does not have: {wrong:?}");
    let upwards = Arrow { from: "store".to_owned(), to: "services".to_owned(), in_tests: false };
    assert!(!is_allowed(&upwards));
}

#[test]
fn every_part_of_the_workspace_has_its_arrows() {
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(from, _)| *from).collect();
    let found = arrows();
    let unknown: BTreeSet<&str> = found.iter().flat_map(|arrow| [&*arrow.from, &*arrow.to]).collect();
    let unknown: Vec<&&str> = unknown.difference(&known).collect();
    assert!(unknown.is_empty(), "no arrows are said for {unknown:?}");
}

/// The Rust files below a directory.
pub(super) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => left.push(path),
                false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// Lines that match, as `path:line: text`.
pub(super) fn lines(directory: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in rust_files(&root().join(directory)) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| matches(line)) {
            found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
        }
    }
    found
}

#[test]
fn functions_reach_the_store_through_services() {
    let names_lower = |line: &str| {
        !line.trim_start().starts_with("//")
            && BELOW_SERVICES.iter().any(|name| {
                line.contains(&format!("shared::{name}::")) || line.contains(&format!("shared::{name};"))
            })
    };
    let found = lines("functions", names_lower);
    assert!(found.is_empty(), "functions name crates below services:\n{}", found.join("\n"));
}

#[test]
fn only_the_facade_hands_lower_crates_on() {
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for name in ours.iter().filter(|name| root().join("shared").join(name).is_dir()) {
        found.extend(lines(&format!("shared/{name}/src"), |line| {
            let Some(path) = line.trim_start().strip_prefix("pub use ") else { return false };
            let first = path.split([':', ';', ' ']).find(|part| !part.is_empty()).unwrap_or_default();
            first != *name && ours.contains(&first)
        }));
    }
    assert!(found.is_empty(), "crates hand on what is another's:\n{}", found.join("\n"));
}
