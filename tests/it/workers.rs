//! What workers do with their time: how a long loop is spread, when a script is claimed, and what becomes of runs
//! that nobody could look at for a while.

use std::time::Duration;

use it::{Models, Run, TestApp, Workspace, for_each, graph, human, lua, lua_after, with};
use serde_json::{Value, json};
use shared::engine::Work;
use shared::engine::{Command, Outcome, Slot};
use shared::platform::fair_semaphore::{FairPermit, Holder};
use shared::services::run::Session;
use shared::types::clock::{Clock, Timestamp};
use shared::types::ids::{Place, RunRef, TenantId};
use shared::types::tokens::Tokens;
use shared::worker::Message;
use tokio::time::Instant;

/// Who holds steps, of workers that the tests stand in for.
const OWNER: &str = "dead";
const ENDLESS: &str = "while true do end";

async fn acme(clock: Clock) -> (TestApp, Workspace) {
    let app = TestApp::without_worker(clock).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn stands_still() -> Clock {
    Clock::manual(Timestamp::from_millis(1_790_000_000_000))
}

/// An invocation that ends so soon from now; the message has come so often.
async fn invoke(app: &TestApp, body: &str, receive_count: u32, ends_in: Duration) {
    let message = Message { id: "m".to_owned(), body: body.to_owned(), receive_count };
    let failed = shared::worker::handle(&app.state, [message], Instant::now() + ends_in).await;
    assert!(failed.is_empty());
}

async fn progress(run: &Run, step: &str) -> (u64, usize) {
    let progress = run.step(step).await["progress"].clone();
    let over = progress["succeeded"].as_u64().unwrap() + progress["failed"].as_u64().unwrap();
    (over, progress["open"].as_array().unwrap().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_loop_does_not_sit_in_one_invocation() {
    let (app, acme) = acme(Clock::System).await;
    let slow = with(lua("slow", ENDLESS), &json!({ "timeout_s": 1 }));
    let items: Vec<u32> = (0..100).collect();
    let each = with(
        for_each("each", &json!(items), &[slow]),
        &json!({ "for_each_max_parallel": 50, "for_each_error_policy": "continue_on_error" }),
    );
    let run = acme.begin(&graph([each]), json!({})).await;
    let messages = app.take_messages().await;
    // Time for a few items and no more.
    invoke(&app, &messages[0], 1, Duration::from_secs(9)).await;
    let (over, open) = progress(&run, "each").await;
    assert!(over < 50 && open == 50, "the invocation has handed over: {over} of 100 are over");
    let messages = app.take_messages().await;
    assert!(messages.len() > 2, "others were asked for help, and somebody goes on: {messages:?}");
    // Each of them takes items of its own.
    let (one, other) = (invoke(&app, &messages[0], 1, Duration::from_secs(9)), async {
        invoke(&app, &messages[1], 1, Duration::from_secs(9)).await;
    });
    tokio::join!(one, other);
    assert!(progress(&run, "each").await.0 > over);
    run.stop().await;
}

#[tokio::test]
async fn a_script_is_not_claimed_before_there_is_room_to_run_it() {
    let (app, acme) = acme(Clock::System).await;
    let run = acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    let messages = app.take_messages().await;
    let tenants = [acme.tenant_id.as_str(), "another"].map(|tenant| tenant.parse().unwrap());
    let holders = tenants.each_ref().map(|tenant: &TenantId| Holder::from(tenant));
    let scripts = &app.state.scripts;
    let all_of = |holder| std::iter::from_fn(move || scripts.try_acquire(holder));
    let busy: Vec<FairPermit> = holders.iter().flat_map(all_of).collect();
    // A message that has come before is claimed first; its lease would run while the script waits for its turn.
    invoke(&app, &messages[0], 2, Duration::from_millis(10_200)).await;
    assert_eq!(run.step("a").await["status"], "pending");
    drop(busy);
    app.work().await;
    assert_eq!(run.status().await, "completed", "whoever could not begin it has handed over");
}

#[tokio::test]
async fn runs_that_were_accepted_go_on_after_hours_in_which_nothing_worked() {
    let (app, acme) = acme(stands_still()).await;
    let half_done =
        acme.begin(&graph([human("ask", &[]), lua_after("b", &["ask"], "return {}")]), json!({})).await;
    app.work().await;
    half_done.approve("ask").await;
    let accepted = acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    app.lose_messages();
    app.pass(Duration::from_secs(8 * 3600)).await;
    for run in [accepted, half_done] {
        assert_eq!(run.status().await, "completed");
    }
}

#[tokio::test]
async fn a_paused_run_whose_worker_died_is_left_alone() {
    let (app, acme) = acme(stands_still()).await;
    let run =
        acme.begin(&graph([lua("a", "return {}"), lua_after("b", &["a"], "return {}")]), json!({})).await;
    claim_and_die(&app, &run).await;
    run.pause().await;
    app.pass(Duration::from_secs(120)).await;
    for _ in 0..3 {
        app.state.clock.advance(Duration::from_secs(3600));
        let woken = shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
        assert_eq!(woken, 0, "a paused run costs nothing");
    }
    run.resume().await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    let attempts: Vec<Value> = run
        .events()
        .await
        .into_iter()
        .filter(|event| event["event_type"] == "step_started" && event["step_id"] == "a")
        .map(|event| event["data"]["attempt"].clone())
        .collect();
    assert_eq!(attempts, [json!(1), json!(1)], "the same attempt began again");
}

fn key(run: &Run) -> RunRef {
    let place = Place {
        tenant_id: run.owner.tenant_id.parse().unwrap(),
        project_id: run.owner.project_id.parse().unwrap(),
    };
    RunRef { place, run_id: run.id.parse().unwrap() }
}

#[tokio::test]
async fn a_far_deadline_stays_where_it_is_unless_the_run_then_waits_for_long() {
    let (app, acme) = acme(stands_still()).await;
    let models = Models::answering([]).await;
    acme.openai_key(&models, "sk-test-0123456789abcdef").await;
    let call = |id: &str, after: &[&str]| {
        json!({ "id": id, "type": "llm_call", "prompt": "Is it?", "model_ref": "direct.openai.gpt-4.1",
                "timeout_s": 80, "depends_on": after })
    };
    let ask = with(human("ask", &["b"]), &json!({ "timeout_s": 3600 }));
    let run = acme.begin(&graph([call("a", &[]), call("b", &["a"]), ask]), json!({})).await;
    app.lose_messages();
    let began = app.state.clock.now();
    let deadline = async || {
        let record = app.state.store.run(&key(&run)).await.unwrap().unwrap();
        record.deadline.unwrap().since(began).as_secs()
    };
    let mut session = Session::load(&app.state, &key(&run)).await.unwrap().unwrap();
    let first = begin_next(&app, &mut session);
    session.commit().await.unwrap();
    assert_eq!(deadline().await, 90, "the lease of the first step");
    app.state.clock.advance(Duration::from_secs(20));
    settle(&mut session, first);
    let second = begin_next(&app, &mut session);
    session.commit().await.unwrap();
    assert_eq!(deadline().await, 90, "where it was, 20 s before the lease of the second");
    app.state.clock.advance(Duration::from_secs(20));
    settle(&mut session, second);
    session.commit().await.unwrap();
    assert_eq!(deadline().await, 70, "somebody has to go on within 30 s");
    app.work().await;
    app.pass(Duration::from_secs(31)).await;
    assert_eq!(run.tasks().await.len(), 1);
    assert_eq!(deadline().await, 71 + 3605, "the question's own");
    run.stop().await;
    assert_eq!(app.state.store.run(&key(&run)).await.unwrap().unwrap().deadline, None);
}

/// A worker begins the next step.
fn begin_next(app: &TestApp, session: &mut Session) -> Slot {
    let Some(Work::Begin(slot)) = session.machine().next_work(app.state.clock.now()) else {
        panic!("nothing to begin");
    };
    let begin = Command::Begin { slot, owner: OWNER.to_owned(), input: None };
    session.apply(begin).unwrap();
    slot
}

/// It has ended well.
fn settle(session: &mut Session, slot: Slot) {
    let outcome = Outcome::Success { result: json!({}).into(), bytes: 2 };
    let owner = OWNER.to_owned();
    let settle = Command::Settle { slot, owner, outcome, log: Vec::new(), tokens: Tokens::default() };
    session.apply(settle).unwrap();
}

/// A worker begins the first step and is never heard of again.
async fn claim_and_die(app: &TestApp, run: &Run) {
    app.lose_messages();
    let mut session = Session::load(&app.state, &key(run)).await.unwrap().unwrap();
    begin_next(app, &mut session);
    session.commit().await.unwrap();
}
