use serde_json::json;

use super::{finds_in_steps, for_each, lua, while_loop};

#[test]
fn ids_are_unique() {
    finds_in_steps(
        json!([lua("a", json!({})), lua("a", json!({})), lua("a", json!({}))]),
        &["error duplicate_step_id $.steps[1].id (a)", "error duplicate_step_id $.steps[2].id (a)"],
    );
}

#[test]
fn inner_ids_are_unique_in_their_body_and_differ_from_those_of_the_graph() {
    finds_in_steps(
        json!([
            for_each("f", json!([lua("i", json!({})), lua("i", json!({})), lua("f", json!({}))]), json!({})),
            while_loop("w", json!([lua("i", json!({})), lua("f", json!({}))]), json!({})),
        ]),
        &[
            "error duplicate_step_id $.steps[0].for_each_body_steps[1].id (i)",
            "error inner_id_clash $.steps[0].for_each_body_steps[2].id (f)",
            "error inner_id_clash $.steps[1].while_body_steps[1].id (f)",
        ],
    );
}

#[test]
fn dependencies_exist_and_are_listed_once() {
    let report = finds_in_steps(
        json!([
            lua("fetch-pr", json!({})),
            lua("b", json!({ "depends_on": ["fetch_pr", "fetch-pr", "fetch-pr"] }))
        ]),
        &[
            "error unknown_dependency $.steps[1].depends_on[0] (b)",
            "warning duplicate_dependency $.steps[1].depends_on[2] (b)",
        ],
    );
    assert_eq!(report.issues[0].suggestion, "did you mean \"fetch-pr\"?");
}

#[test]
fn inner_dependencies_stay_inside_the_body() {
    finds_in_steps(
        json!([
            lua("a", json!({})),
            for_each("f", json!([lua("i", json!({ "depends_on": ["a"] }))]), json!({}))
        ]),
        &["error unknown_dependency $.steps[1].for_each_body_steps[0].depends_on[0] (i)"],
    );
}

#[test]
fn cycles_are_printed_in_bodies_too() {
    let report = finds_in_steps(
        json!([
            lua("a", json!({ "depends_on": ["a"] })),
            while_loop(
                "w",
                json!([lua("x", json!({ "depends_on": ["y"] })), lua("y", json!({ "depends_on": ["x"] }))]),
                json!({}),
            ),
        ]),
        &[
            "error dependency_cycle $.steps[0].depends_on[0] (a)",
            "error dependency_cycle $.steps[1].while_body_steps[0].depends_on[0] (x)",
        ],
    );
    assert!(report.issues[1].message.starts_with("x → y → x"));
}

#[test]
fn allowlists_name_ancestors_or_human() {
    let report = finds_in_steps(
        json!([
            lua("start", json!({})),
            lua("aside", json!({})),
            lua(
                "b",
                json!({ "depends_on": ["start"], "input_allowlist": ["start", "human", "aside", "strat"] })
            ),
        ]),
        &[
            "warning allowlist_not_ancestor $.steps[2].input_allowlist[2] (b)",
            "error allowlist_unknown_step $.steps[2].input_allowlist[3] (b)",
        ],
    );
    assert_eq!(report.issues[1].suggestion, "did you mean \"start\"?");
}

#[test]
fn only_a_root_can_wait_for_a_grant() {
    finds_in_steps(
        json!([
            lua("a", json!({})),
            lua("b", json!({ "depends_on": ["a"], "no_auto_start": true, "terminal": true }))
        ]),
        &["error no_auto_start_not_root $.steps[1].no_auto_start (b)"],
    );
}

#[test]
fn an_episode_needs_a_terminal_step_after_its_entry() {
    let entry = || lua("entry", json!({ "no_auto_start": true }));
    let end = |more| lua("end", more);
    let warning = ["warning episode_never_closes $.steps[0].no_auto_start (entry)"];
    finds_in_steps(json!([entry(), end(json!({ "depends_on": ["entry"] }))]), &warning);
    finds_in_steps(json!([entry(), end(json!({ "depends_on": ["entry"], "terminal": true }))]), &[]);
    finds_in_steps(json!([entry(), end(json!({ "terminal": true }))]), &warning);
    finds_in_steps(json!([lua("entry", json!({ "no_auto_start": true, "terminal": true }))]), &[]);
    finds_in_steps(
        json!([entry(), end(json!({ "depends_on": ["entry"], "terminal": true, "enabled": false }))]),
        &[warning[0], "warning step_disabled $.steps[1].enabled (end)"],
    );
    finds_in_steps(json!([lua("plain", json!({}))]), &[]);
}
