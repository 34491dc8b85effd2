//! Human tasks: put, listed, answered once, rejected, and given up on in their time.

use std::time::Duration;

use it::{Run, TestApp, Workspace, graph, human, lua, lua_after, with};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn approval() -> Value {
    graph([
        lua("draft", "return { title = 'Refund ' .. input.order }"),
        with(
            human("ask", &["draft"]),
            &json!({
                "task_payload": { "title": "{{ steps.draft.result.title }}", "amount": "{{ input.amount | 5 }}" },
            }),
        ),
        lua_after("post", &["ask"], "return { by = steps.ask.result.comment }"),
        with(
            lua_after("tell", &["ask"], "return { told = true }"),
            &json!({
                "condition": "{{ steps.ask.result.approved }} == false",
            }),
        ),
        lua_after("after", &["post"], "return {}"),
    ])
}

async fn asked(app: &TestApp, acme: &Workspace) -> Run {
    let run = acme.begin(&approval(), json!({ "order": "77" })).await;
    app.work().await;
    run
}

#[tokio::test]
async fn a_task_is_put_to_people_with_what_they_need_to_see() {
    let (app, acme) = acme().await;
    let run = asked(&app, &acme).await;
    let summary = run.summary().await;
    assert_eq!(
        (&summary["status"], &summary["orchestration_phase"], &summary["pending_tasks"]),
        (&json!("running"), &json!("awaiting_human"), &json!(1))
    );
    assert_eq!(summary["steps"]["waiting"], 1);
    let task = run.tasks().await.remove(0);
    assert_eq!(
        task,
        json!({ "id": "ask", "run_id": run.id, "workflow_id": run.workflow, "workflow_name": "test",
                "project_id": "default", "step_id": "ask", "task_type": "approval",
                "payload": { "title": "Refund 77", "amount": 5 }, "created_at": task["created_at"] })
    );
    let inbox = acme.client.get("/v1/tasks/pending").await.expect(200);
    assert_eq!(inbox["tasks"], json!([task]));
}

#[tokio::test]
async fn an_approval_lets_the_run_go_on_with_what_the_person_said() {
    let (app, acme) = acme().await;
    let run = asked(&app, &acme).await;
    let answer =
        json!({ "approved": true, "result": { "comment": "fine", "approved": false }, "notes": "ok" });
    assert_eq!(
        run.answer("ask", &answer).await.expect(200),
        json!({ "status": "completed", "task_id": "ask", "approved": true })
    );
    app.work().await;
    assert_eq!(
        run.outcomes().await,
        ["draft completed", "ask completed", "post completed", "tell condition_false", "after completed"]
    );
    assert_eq!(run.result("ask").await, json!({ "approved": true, "comment": "fine" }));
    assert_eq!(run.result("post").await, json!({ "by": "fine" }));
    assert!(run.tasks().await.is_empty());
    assert_eq!(acme.client.get("/v1/tasks/pending").await.expect(200)["tasks"], json!([]));
    let events = run.events().await;
    let completed = events.iter().find(|event| event["event_type"] == "human_task_completed").unwrap();
    assert_eq!(completed["data"]["approved"], true);
    assert_eq!(completed["data"]["notes"], "ok");
    assert!(completed["data"]["completed_by"].as_str().unwrap().starts_with("pat:"));
}

#[tokio::test]
async fn a_rejection_stops_the_branch_and_not_the_run() {
    let (app, acme) = acme().await;
    let run = asked(&app, &acme).await;
    run.reject("ask").await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    assert_eq!(
        run.outcomes().await,
        ["draft completed", "ask completed", "post rejected", "tell completed", "after rejected"]
    );
}

#[tokio::test]
async fn a_task_is_answered_once() {
    let (app, acme) = acme().await;
    let run = asked(&app, &acme).await;
    run.answer("draft", &json!({ "approved": true })).await.refused(404, "NOT_FOUND");
    run.answer("nope", &json!({ "approved": true })).await.refused(404, "NOT_FOUND");
    run.answer("ask:1", &json!({ "approved": true })).await.refused(404, "NOT_FOUND");
    run.answer("ask", &json!({})).await.refused(422, "INVALID_REQUEST");
    run.answer("ask", &json!({ "approved": "yes" })).await.refused(422, "INVALID_REQUEST");
    run.answer("ask", &json!({ "approved": true, "colour": 1 })).await.refused(422, "INVALID_REQUEST");
    run.answer("ask", &json!({ "approved": true, "result": [] })).await.refused(422, "INVALID_REQUEST");
    let yes = json!({ "approved": true });
    let no = json!({ "approved": false });
    let (one, other) = tokio::join!(run.answer("ask", &yes), run.answer("ask", &no));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    run.answer("ask", &yes).await.refused(409, "TASK_CLOSED");
    app.work().await;
    run.answer("ask", &yes).await.refused(409, "TASK_CLOSED");
}

#[tokio::test]
async fn nobody_answers_and_the_task_ends_as_on_timeout_says() {
    let (app, acme) = acme().await;
    let ends = [
        (json!("fail"), "failed", vec!["ask failed", "post blocked"]),
        (json!("approve"), "completed", vec!["ask completed", "post completed"]),
        (json!("reject"), "completed", vec!["ask completed", "post rejected"]),
        (Value::Null, "failed", vec!["ask failed", "post blocked"]),
    ];
    for (on_timeout, status, outcomes) in ends {
        let mut ask = with(human("ask", &[]), &json!({ "timeout_s": 7200 }));
        if !on_timeout.is_null() {
            ask["on_timeout"] = on_timeout;
        }
        let run = acme.begin(&graph([ask, lua_after("post", &["ask"], "return {}")]), json!({})).await;
        app.work().await;
        assert!(run.tasks().await[0]["expires_at"].is_string());
        app.pass(HOUR).await;
        assert_eq!(run.status().await, "running", "there is time yet");
        app.pass(HOUR + Duration::from_secs(10)).await;
        assert_eq!((run.status().await.as_str(), run.outcomes().await), (status, texts(&outcomes)));
        assert!(run.tasks().await.is_empty());
        run.answer("ask", &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_is_left_alone() {
    let (app, acme) = acme().await;
    let run = asked(&app, &acme).await;
    let before = run.events().await.len();
    for _ in 0..3 {
        app.state.clock.advance(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(
            shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap(),
            0,
            "nothing is due"
        );
    }
    assert_eq!(run.events().await.len(), before);
    run.approve("ask").await;
    app.work().await;
    assert_eq!(run.status().await, "completed", "a month later it goes on");
}

#[tokio::test]
async fn an_inbox_is_read_page_by_page_and_shows_the_tasks_of_every_project() {
    let (app, acme) = acme().await;
    let graph = graph([human("ask", &[]), human("second", &[])]);
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(acme.begin(&graph, json!({})).await);
        app.work().await;
        app.state.clock.advance(Duration::from_secs(1));
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = acme.client.get(&format!("/v1/tasks/pending?limit=4{cursor}")).await.expect(200);
        seen.extend(page["tasks"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 6);
    let newest_first: Vec<&str> = seen.iter().map(|task| task["run_id"].as_str().unwrap()).collect();
    assert_eq!(newest_first[0], runs[2].id);
    assert_eq!(newest_first[5], runs[0].id);
    acme.client.get("/v1/tasks/pending?cursor=eA").await.refused(422, "INVALID_REQUEST");
    acme.client.get("/v1/tasks/pending?limit=101").await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn many_tasks_at_once_are_put_fifty_at_a_time() {
    let (app, acme) = acme().await;
    let asks = (0..60).map(|at| human(&format!("ask{at}"), &[]));
    let run = acme.begin(&graph(asks), json!({})).await;
    app.work().await;
    let mut answered = 0;
    assert_eq!(run.tasks().await.len(), 50);
    while let Some(task) = run.tasks().await.first() {
        run.approve(task["id"].as_str().unwrap()).await;
        answered += 1;
        app.work().await;
    }
    assert_eq!((answered, run.status().await.as_str()), (60, "completed"));
}

#[tokio::test]
async fn a_task_without_what_it_should_show_is_not_put_to_anybody() {
    let (app, acme) = acme().await;
    let ask = with(human("ask", &[]), &json!({ "task_payload": { "title": "{{ input.nope }}" } }));
    let run = acme.begin(&graph([ask]), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!((&view["status"], &view["failure_code"]), (&json!("failed"), &json!("TEMPLATE_UNRESOLVED")));
    assert!(view["error"].as_str().unwrap().contains("task_payload.title"), "{view:#}");
    let huge = with(human("ask", &[]), &json!({ "task_payload": { "text": "{{ input.text }}" } }));
    let run = acme.begin(&graph([huge]), json!({ "text": "x".repeat(256 * 1024) })).await;
    app.work().await;
    assert_eq!(run.view().await["failure_code"], "HUMAN_TASK_FAILED");
}
