use super::*;
use crate::{Bill, Run, TriggerType};
use types::ids::{Place, RunId, RunRef, WorkflowId};

const BEGIN: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn run() -> Run {
    let place = Place { tenant_id: "acme".parse().unwrap(), project_id: "default".parse().unwrap() };
    Run {
        key: RunRef { place, run_id: RunId::new(BEGIN) },
        workflow_id: WorkflowId::new(BEGIN),
        version: 1,
        trigger_type: TriggerType::Api,
        external_user_id: None,
        status: RunStatus::Running,
        started_at: BEGIN,
        ended_at: None,
        progress_at: BEGIN,
        failure: None,
        paused_at: None,
        drain_until: None,
        parent: None,
        without_mcp: false,
        orphans: Vec::new(),
        retries: 0,
        isolation: None,
        attempts_before: BTreeMap::new(),
        usage: Usage::default(),
        bill: Bill::default(),
        tally: Tally::default(),
        steps: Vec::new(),
    }
}

fn count(run: &mut Run) -> Option<Counts> {
    let (status, usage) = (run.status, run.usage);
    run.tally.count(Counted { status, started_at: run.started_at, ended_at: run.ended_at, usage })
}

fn execute(run: &mut Run, step_type: &str, took_ms: u64) {
    run.usage.steps_executed += 1;
    run.tally.executed(step_type, Duration::from_millis(took_ms));
}

fn end(run: &mut Run, status: RunStatus, after_ms: u64) {
    run.status = status;
    run.ended_at = Some(BEGIN.plus(Duration::from_millis(after_ms)));
}

fn figures(counts: &Counts) -> Vec<(Timestamp, BTreeMap<&str, i64>)> {
    counts.figures.iter().map(|(at, figures)| (*at, figures.counters().collect())).collect()
}

#[test]
fn what_was_counted_is_not_counted_again() {
    let mut run = run();
    let live = count(&mut run).unwrap();
    assert_eq!(live.live, BTreeMap::from([("running", 1)]));
    assert_eq!(live.figures, []);
    execute(&mut run, "lua_script", 1);
    assert_eq!(count(&mut run), None, "steps wait until the run ends");
    run.tally.tokens("llm_call", Tokens { tokens_in: 7, tokens_out: 3 });
    (run.usage.tokens_in, run.usage.tokens_out) = (7, 3);
    end(&mut run, RunStatus::Completed, 1_000);
    let ended = count(&mut run).unwrap();
    assert_eq!(ended.live, BTreeMap::from([("running", -1)]));
    let at = BEGIN.plus(Duration::from_secs(1));
    let expected = [
        ("completed", 1),
        ("ms", 1_000),
        ("steps", 1),
        ("in", 7),
        ("out", 3),
        ("lua_script.n", 1),
        ("llm_call.in", 7),
        ("llm_call.out", 3),
        ("lua_script.d0", 1),
        ("d172", 1),
    ];
    assert_eq!(figures(&ended), [(at, BTreeMap::from(expected))]);
    assert_eq!(count(&mut run), None);
    let kept: Tally = serde_json::from_str(&serde_json::to_string(&run.tally).unwrap()).unwrap();
    assert_eq!(kept, run.tally);
}

#[test]
fn a_retry_takes_back_how_the_run_counted_and_not_its_steps() {
    let mut run = run();
    execute(&mut run, "lua_script", 0);
    end(&mut run, RunStatus::Failed, 0);
    let first = count(&mut run).unwrap();
    assert_eq!(first.live, BTreeMap::new(), "it was never seen alive");
    run.status = RunStatus::Running;
    run.ended_at = None;
    let retried = count(&mut run).unwrap();
    assert_eq!(retried.live, BTreeMap::from([("running", 1)]));
    assert_eq!(figures(&retried), [(BEGIN, BTreeMap::from([("failed", -1), ("d-1", -1)]))]);
    execute(&mut run, "lua_script", 0);
    end(&mut run, RunStatus::Completed, 3_600_000);
    let last = count(&mut run).unwrap();
    let last = figures(&last);
    assert_eq!((last.len(), last[0].1["completed"], last[0].1["steps"]), (1, 1, 1));
}

#[test]
fn a_run_whose_steps_take_all_kinds_of_time_adds_to_a_bounded_number_of_bins() {
    let mut run = run();
    for step_type in ["lua_script", "llm_call"] {
        for power in 0..600_i32 {
            let took = 1.04_f64.powi(power % 300) * 2.0;
            execute(&mut run, step_type, crate::analytics::sketch::whole(took));
        }
    }
    end(&mut run, RunStatus::Completed, 1);
    let counts = count(&mut run).unwrap();
    let all = figures(&counts).remove(0).1;
    let bins: Vec<_> = all.iter().filter(|(name, _)| name.contains(".d")).collect();
    assert!(bins.len() <= MOST_BINS, "{}", bins.len());
    assert_eq!(bins.iter().map(|(_, count)| **count).sum::<i64>(), 1_200, "none is lost");
}
