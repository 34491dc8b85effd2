//! Triggers: made, read, listed, changed, deleted. What they start is in `trigger_runs`.

use std::time::Duration;

use it::{Answer, TestApp, Workspace, graph, lua, noise};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use crate::run_reads::{T0, acme, text};

const UNKNOWN: &str = "0199c000-0000-7000-8000-000000000001";

/// An app whose clock stands at [`T0`], a workspace, and the path of a published workflow's triggers.
async fn with_workflow() -> (TestApp, Clock, Workspace, String) {
    let (app, clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return { input = input }")])).await;
    (app, clock, acme, format!("/v1/workflows/{id}/triggers"))
}

async fn create(acme: &Workspace, path: &str, new: Value) -> Value {
    acme.client.post(path, &new).await.expect(201)
}

async fn patch(acme: &Workspace, path: &str, trigger: &Value, change: Value) -> Answer {
    acme.client.patch(&format!("{path}/{}", text(trigger, "id")), &change).await
}

async fn listed(acme: &Workspace, path: &str) -> Vec<Value> {
    acme.client.get(&format!("{path}?limit=100")).await.expect(200)["triggers"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_trigger_needs_a_cron_expression_and_nothing_else() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let made = create(&acme, &path, json!({ "cron": " 30  8 * * MON-FRI" })).await;
    let workflow = path.split('/').nth(3).unwrap();
    let expected = json!({
        "id": made["id"], "workflow_id": workflow, "name": "Schedule", "type": "cron",
        "cron": "30 8 * * MON-FRI", "timezone": "UTC", "enabled": true, "catch_up": "none", "params": {},
        "next_run_at": "2026-09-22T08:30:00.000Z", "last_run_at": null, "last_run_id": null,
        "last_error": null, "created_at": T0, "updated_at": T0
    });
    assert_eq!(made, expected);
    assert_eq!(acme.client.get(&path).await.expect(200), json!({ "triggers": [expected] }));
}

#[tokio::test]
async fn a_trigger_keeps_what_it_was_given() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let new = json!({
        "name": "  Every morning ", "type": "cron", "cron": "0 9 * * *", "timezone": "america/new_york",
        "enabled": false, "catch_up": "latest",
        "params": { "trigger_payload": { "k": [1, { "deep": null }] }, "external_user_id": "u", "version": 1,
                    "trigger_steps": { "a": {} }, "excluded_step_ids": [], "use_run_setup_defaults": true }
    });
    let made = create(&acme, &path, new.clone()).await;
    assert_eq!(made["name"], "Every morning");
    assert_eq!(made["timezone"], "America/New_York", "as the time zone database spells it");
    assert_eq!(made["next_run_at"], Value::Null, "it is not enabled");
    for key in ["type", "cron", "enabled", "catch_up", "params"] {
        assert_eq!(made[key], new[key], "{key}");
    }
    assert_eq!(listed(&acme, &path).await, [made]);
}

#[tokio::test]
async fn what_is_wrong_with_a_trigger_is_named_and_changes_nothing() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let made = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    let cron = "0 9 * * *";
    // Of every field but `cron`, what is wrong for a new trigger is wrong for a change.
    let wrong = [
        (json!({ "cron": "0 9 * *" }), "cron: has 4 fields"),
        (json!({ "cron": "0 0 9 * * *" }), "leave out the seconds"),
        (json!({ "cron": "0 25 * * *" }), "the hour field \"25\""),
        (json!({ "cron": "0 9 * FEBRUARY *" }), "the month field \"FEBRUARY\""),
        (json!({ "cron": "0 0 30 2 *" }), "never fires"),
        (json!({ "cron": "@daily" }), "\"0 0 * * *\""),
        (json!({ "cron": 5 }), "cron"),
        (json!({ "cron": cron, "timezone": "Berlin" }), "did you mean \"Europe/Berlin\""),
        (json!({ "cron": cron, "timezone": "+02:00" }), "timezone"),
        (json!({ "cron": cron, "name": "" }), "name"),
        (json!({ "cron": cron, "name": "x".repeat(201) }), "name"),
        (json!({ "cron": cron, "name": "a\nb" }), "name"),
        (json!({ "cron": cron, "enabled": "yes" }), "enabled"),
        (json!({ "cron": cron, "catch_up": "all" }), "catch_up"),
        (json!({ "cron": cron, "catch_up": 5 }), "catch_up"),
        (json!({ "cron": cron, "params": [] }), "params"),
        (json!({ "cron": cron, "params": { "run_id": UNKNOWN } }), "params.run_id: belongs to one start"),
        (json!({ "cron": cron, "params": { "trigger_type": "api" } }), "params.trigger_type"),
        (json!({ "cron": cron, "params": { "resume_from_run_id": UNKNOWN } }), "params.resume_from_run_id"),
        (json!({ "cron": cron, "params": { "from_step_id": "a" } }), "params.from_step_id"),
        (json!({ "cron": cron, "params": { "trigger_payload": {}, "k": 1 } }), "params.k"),
        (json!({ "cron": cron, "params": { "version": "one" } }), "params.version"),
        (json!({ "cron": cron, "params": { "pad": noise(32 * 1024, 1) } }), "32 KiB"),
        (json!({ "cron": cron, "seconds": 1 }), "seconds"),
        (json!({ "cron": cron, "next_run_at": T0 }), "next_run_at"),
    ];
    for (body, part) in wrong {
        let refused = acme.client.post(&path, &body).await.refused(422, "INVALID_REQUEST");
        assert!(text(&refused, "error").contains(part), "{body}: {refused:#}");
        let refused = patch(&acme, &path, &made, body.clone()).await.refused(422, "INVALID_REQUEST");
        assert!(text(&refused, "error").contains(part), "{body}: {refused:#}");
    }
    acme.client.post(&path, &json!({})).await.refused(422, "INVALID_REQUEST");
    for kind in [json!("interval"), json!(null)] {
        let new = json!({ "cron": cron, "type": kind });
        acme.client.post(&path, &new).await.refused(422, "INVALID_REQUEST");
    }
    patch(&acme, &path, &made, json!({ "type": "cron" })).await.refused(422, "INVALID_REQUEST");
    acme.client.get(&format!("{path}?limit=0")).await.refused(422, "INVALID_REQUEST");
    acme.client.get(&format!("{path}?cursor=x")).await.refused(422, "INVALID_REQUEST");
    acme.client.get(&format!("{path}?q=x")).await.refused(422, "INVALID_REQUEST");
    assert_eq!(listed(&acme, &path).await, [made]);
}

#[tokio::test]
async fn params_may_have_32_kib_of_json() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let empty = json!({ "pad": "" }).to_string().len();
    let params = |bytes: usize| json!({ "pad": noise(bytes - empty, 1) });
    let made = create(&acme, &path, json!({ "cron": "0 9 * * *", "params": params(32 * 1024) })).await;
    let one_more = json!({ "params": params(32 * 1024 + 1) });
    patch(&acme, &path, &made, one_more).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn lists_go_from_the_newest_to_the_oldest_page_by_page() {
    let (_app, clock, acme, path) = with_workflow().await;
    let mut expected = Vec::new();
    for number in 0..40 {
        clock.advance(Duration::from_secs(1));
        // Together more than DynamoDB reads at once.
        let new = json!({ "name": format!("t{number}"), "cron": "0 9 * * *", "params": { "pad": noise(32_000, 1) } });
        expected.insert(0, create(&acme, &path, new).await);
    }
    assert_eq!(listed(&acme, &path).await, expected);
    let (mut walked, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = acme.client.get(&format!("{path}?limit=13{cursor}")).await.expect(200);
        let triggers = page["triggers"].as_array().unwrap();
        pages.push(triggers.len());
        walked.extend(triggers.iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, [13, 13, 13, 1]);
    assert_eq!(walked, expected);
    let usual = acme.client.get(&path).await.expect(200);
    assert_eq!(usual["triggers"].as_array().unwrap().len(), 20);
    // A list that ends with a page says so.
    let whole = acme.client.get(&format!("{path}?limit=40")).await.expect(200);
    assert_eq!(whole.get("next_cursor"), None);
}

#[tokio::test]
async fn a_change_of_the_schedule_counts_from_now() {
    let (_app, clock, acme, path) = with_workflow().await;
    let made = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    clock.advance(Duration::from_secs(3600));
    let later = "2026-09-21T15:13:20.000Z";
    let change = async |change: Value| patch(&acme, &path, &made, change).await.expect(200);
    let expect = |change: Value| {
        let mut expected = made.clone();
        expected.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        expected["updated_at"] = json!(later);
        expected
    };
    assert_eq!(change(json!({ "name": "Mine" })).await, expect(json!({ "name": "Mine" })));
    let berlin = change(json!({ "timezone": "Europe/Berlin" })).await;
    assert_eq!(berlin["next_run_at"], "2026-09-22T07:00:00.000Z");
    let cron = change(json!({ "cron": "*/10 * * * *" })).await;
    assert_eq!(
        (&cron["cron"], &cron["next_run_at"]),
        (&json!("*/10 * * * *"), &json!("2026-09-21T15:20:00.000Z"))
    );
    let disabled = change(json!({ "enabled": false })).await;
    assert_eq!((&disabled["enabled"], &disabled["next_run_at"]), (&json!(false), &Value::Null));
    let params = change(json!({ "params": { "k": 2 }, "catch_up": "latest" })).await;
    assert_eq!((&params["params"], &params["next_run_at"]), (&json!({ "k": 2 }), &Value::Null));
    clock.advance(Duration::from_secs(3600));
    let enabled = change(json!({ "enabled": true })).await;
    assert_eq!(enabled["next_run_at"], "2026-09-21T16:20:00.000Z");
    assert_eq!((&enabled["name"], &enabled["catch_up"]), (&json!("Mine"), &json!("latest")));
    let nothing = change(json!({})).await;
    assert_eq!(nothing, enabled);
    assert_eq!(listed(&acme, &path).await, [enabled]);
}

#[tokio::test]
async fn a_deleted_trigger_is_gone() {
    let (_app, clock, acme, path) = with_workflow().await;
    let one = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    clock.advance(Duration::from_secs(1));
    let other = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    let its = format!("{path}/{}", text(&one, "id"));
    let answer = acme.client.delete(&its).await;
    assert_eq!((answer.status.as_u16(), answer.body), (204, Value::Null));
    acme.client.delete(&its).await.refused(404, "NOT_FOUND");
    acme.client.patch(&its, &json!({ "name": "x" })).await.refused(404, "NOT_FOUND");
    assert_eq!(listed(&acme, &path).await, [other]);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let made = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    let id = text(&made, "id");
    let elsewhere = format!("/v1/workflows/{}/triggers", acme.publish(&graph([lua("a", "return {}")])).await);
    let nowhere = format!("/v1/workflows/{UNKNOWN}/triggers");
    let new = json!({ "cron": "0 9 * * *" });
    acme.client.get(&nowhere).await.refused(404, "NOT_FOUND");
    acme.client.post(&nowhere, &new).await.refused(404, "NOT_FOUND");
    for wrong in [
        format!("{path}/{UNKNOWN}"),
        format!("{elsewhere}/{id}"),
        format!("{path}/x"),
        format!("{nowhere}/{id}"),
    ] {
        acme.client.patch(&wrong, &json!({ "name": "x" })).await.refused(404, "NOT_FOUND");
        acme.client.delete(&wrong).await.refused(404, "NOT_FOUND");
    }
    assert_eq!(listed(&acme, &path).await, [made]);
    assert_eq!(listed(&acme, &elsewhere).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_workflow_has_a_hundred_triggers_at_most() {
    let (_app, _clock, acme, path) = with_workflow().await;
    let new = json!({ "cron": "0 9 * * *" });
    let first = create(&acme, &path, new.clone()).await;
    for _ in 1..99 {
        create(&acme, &path, new.clone()).await;
    }
    // Whoever asks at the same time: one gets the last place.
    let ask = || acme.client.post(&path, &new);
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    let made = [&a, &b, &c].iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1, "{a:?} {b:?} {c:?}");
    let refused = acme.client.post(&path, &new).await.refused(422, "INVALID_REQUEST");
    assert!(text(&refused, "error").contains("at most 100 triggers"), "{refused:#}");
    assert_eq!(listed(&acme, &path).await.len(), 100);
    acme.client.delete(&format!("{path}/{}", text(&first, "id"))).await.expect(204);
    create(&acme, &path, new.clone()).await;
    acme.client.post(&path, &new).await.refused(422, "INVALID_REQUEST");
    // Another workflow has its own hundred.
    let other = acme.publish(&graph([lua("a", "return {}")])).await;
    create(&acme, &format!("/v1/workflows/{other}/triggers"), new).await;
}

#[tokio::test]
async fn triggers_of_drafts_and_archived_workflows_can_be_made_and_changed() {
    let (_app, _clock, acme) = acme().await;
    let draft = acme.create(&graph([lua("a", "return {}")])).await;
    let path = format!("/v1/workflows/{draft}/triggers");
    let made = create(&acme, &path, json!({ "cron": "0 9 * * *" })).await;
    acme.client.delete(&format!("/v1/workflows/{draft}")).await.expect(204);
    patch(&acme, &path, &made, json!({ "name": "Later" })).await.expect(200);
    create(&acme, &path, json!({ "cron": "0 10 * * *" })).await;
    assert_eq!(listed(&acme, &path).await.len(), 2);
}
