//! The official tests of JSON Schema 2020-12 (JSON-Schema-Test-Suite, as the Python package `jsonschema` brings it along).
//! Apart from the other tests, because they have to be downloaded: `./test.sh json-schema` does, and names their directory
//! in `JSON_SCHEMA_TEST_SUITE`.
//!
//! Nothing is fetched here, so what the suite has on its server (`remotes/`) is bundled with each schema, as the standard
//! has it (core, 9.3). What is judged otherwise than the suite has it stands in [`exceptions`], each with its reason; a
//! case there that comes out as the suite has it fails as well.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may fail loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use json_schema::{Rejected, check, check_in_part};
use serde_json::{Value, json};

use exceptions::Exceptions;

mod exceptions;

const DRAFT: &str = "draft2020-12";
/// Where the suite's server would be.
const SERVER: &str = "http://localhost:1234/";

fn suite() -> PathBuf {
    let path = std::env::var_os("JSON_SCHEMA_TEST_SUITE");
    path.expect("JSON_SCHEMA_TEST_SUITE: run this with ./test.sh json-schema").into()
}

/// The files below a directory, by their paths from there.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("the suite's directory") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What the suite's server has for this draft, each with its URI as `$id`.
fn remotes(suite: &Path) -> Vec<Value> {
    let root = suite.join("remotes");
    let ours = files(&root).into_iter().filter(|file| !file.starts_with("draft") || file.starts_with(DRAFT));
    let with_id = ours.map(|file| {
        let mut document = read(&root.join(&file));
        let uri = format!("{SERVER}{file}");
        match document.get("$id") {
            None => document["$id"] = json!(uri),
            Some(id) if *id == uri => {}
            // Known by two URIs: where it is, and what it calls itself.
            Some(_) => document = json!({ "$id": uri, "allOf": [document] }),
        }
        document
    });
    with_id.collect()
}

/// The schema with those of the remote documents that it may refer to.
fn bundled(schema: &Value, remotes: &[Value]) -> Value {
    let mut bundle = schema.clone();
    if schema.to_string().contains(SERVER)
        && let Some(map) = bundle.as_object_mut()
    {
        map.entry("$defs").or_insert_with(|| json!({}))["remotes of the suite"] = json!({ "allOf": remotes });
    }
    bundle
}

/// The cases of a directory that come out otherwise than the suite has it, and how many cases there are.
fn failures(directory: &str, is_meant: impl Fn(&str) -> bool) -> (BTreeSet<String>, usize) {
    let suite = suite();
    let root = suite.join("tests").join(DRAFT).join(directory);
    let remotes = remotes(&suite);
    let (mut failed, mut count) = (BTreeSet::new(), 0);
    for file in files(&root).into_iter().filter(|file| is_meant(file)) {
        for group in read(&root.join(&file)).as_array().unwrap() {
            let schema = bundled(&group["schema"], &remotes);
            for case in group["tests"].as_array().unwrap() {
                count += 1;
                let outcome = check(&schema, &case["data"]);
                let as_expected = match &outcome {
                    Ok(()) => case["valid"] == true,
                    Err(Rejected::Violations(_)) => case["valid"] == false,
                    Err(_) => false,
                };
                let in_part = check_in_part(&group["schema"], &case["data"]);
                assert!(in_part.is_ok() || outcome.is_err(), "left out parts make {file} stricter: {case}");
                if !as_expected {
                    let name = format!(
                        "{file}: {}: {}",
                        group["description"].as_str().unwrap(),
                        case["description"].as_str().unwrap()
                    );
                    println!("{name}\n    {outcome:?}");
                    failed.insert(name);
                }
            }
        }
    }
    (failed, count)
}

/// The cases that were not to fail, and those that were to and do not.
fn differences(failed: &BTreeSet<String>, excepted: Exceptions) -> (Vec<String>, Vec<String>) {
    let excepted: BTreeSet<String> =
        excepted.iter().flat_map(|(_, cases)| cases.iter().map(|case| (*case).to_owned())).collect();
    (failed.difference(&excepted).cloned().collect(), excepted.difference(failed).cloned().collect())
}

#[test]
fn every_required_case_comes_out_as_the_suite_has_it() {
    let (failed, count) = failures("", |file| !file.starts_with("optional/"));
    assert!(count > 1_200, "{count} cases only");
    let none = (Vec::new(), Vec::new());
    assert_eq!(
        differences(&failed, exceptions::REQUIRED),
        none,
        "(new failures, exceptions that hold no more)"
    );
}

#[test]
fn optional_cases_come_out_as_this_crate_claims() {
    let (failed, count) = failures("optional", |file| !file.starts_with("format/"));
    assert!(count > 100, "{count} cases only");
    let none = (Vec::new(), Vec::new());
    assert_eq!(
        differences(&failed, exceptions::OPTIONAL),
        none,
        "(new failures, exceptions that hold no more)"
    );
}

#[test]
fn formats_annotate_and_refuse_nothing() {
    let suite = suite();
    let root = suite.join("tests").join(DRAFT).join("optional/format");
    let mut count = 0;
    for file in files(&root) {
        for group in read(&root.join(&file)).as_array().unwrap() {
            for case in group["tests"].as_array().unwrap() {
                count += 1;
                assert_eq!(check(&group["schema"], &case["data"]), Ok(()), "{file}: {case}");
            }
        }
    }
    assert!(count > 400, "{count} cases only");
}
