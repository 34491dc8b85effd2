use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// What these measures write.
fn written(measure: impl Fn(&Metrics)) -> Vec<Value> {
    let kept = Arc::default();
    let metrics = Metrics::new(MetricsSink::Kept(Arc::clone(&kept)));
    measure(&metrics);
    metrics.flush(NOW);
    let lines = kept.lock().unwrap();
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_what_cloudwatch_reads() {
    let lines = written(|metrics| metrics.count(Metric::RunsEnded, &[("outcome", "failed")]));
    assert_eq!(
        lines,
        [json!({
            "_aws": {
                "Timestamp": 1_790_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "AgentRuntime",
                    "Dimensions": [["stack"], ["stack", "outcome"]],
                    "Metrics": [{ "Name": "runs_ended", "Unit": "Count" }],
                }],
            },
            "stack": "test",
            "outcome": "failed",
            "runs_ended": 1,
        })]
    );
}

#[test]
fn counts_add_up_and_times_stay_apart() {
    let lines = written(|metrics| {
        for took in [5, 7, 5] {
            metrics.count(Metric::SweepRepairs, &[]);
            metrics.time(Metric::QueueAge, &[], Duration::from_millis(took));
        }
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["sweep_repairs"], &lines[0]["queue_age"]), (&json!(3), &json!([5, 7, 5])));
    assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["stack"]]));
}

#[test]
fn what_a_run_measures_is_one_line_and_other_labels_are_another() {
    let lua = [("step_type", "lua_script"), ("step_outcome", "completed")];
    let call = [("step_type", "mcp_call"), ("step_outcome", "completed")];
    let measure = |metrics: &Metrics| {
        metrics.time(Metric::QueueAge, &[], Duration::from_millis(3));
        metrics.time(Metric::StepDuration, &lua, Duration::from_millis(1));
        metrics.count(Metric::RunsEnded, &[("outcome", "completed")]);
    };
    assert_eq!(written(measure).len(), 1);
    let lines = written(|metrics| {
        measure(metrics);
        metrics.time(Metric::StepDuration, &call, Duration::from_millis(90));
    });
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let durations: Vec<_> = lines.iter().map(|line| (&line["step_type"], &line["step_duration"])).collect();
    assert_eq!(durations, [(&json!("lua_script"), &json!(1)), (&json!("mcp_call"), &json!(90))]);
}

#[test]
fn no_line_has_more_values_than_cloudwatch_takes() {
    let lines = written(|metrics| {
        for _ in 0..250 {
            metrics.time(Metric::QueueAge, &[], Duration::from_millis(1));
        }
    });
    let lengths: Vec<_> = lines.iter().map(|line| line["queue_age"].as_array().unwrap().len()).collect();
    assert_eq!(lengths, [100, 100, 50]);
}

#[test]
fn only_the_first_invocation_is_a_cold_start() {
    let kept = Arc::default();
    let metrics = Metrics::new(MetricsSink::Kept(Arc::clone(&kept)));
    for _ in 0..3 {
        metrics.begin();
        metrics.flush(NOW);
    }
    let lines = kept.lock().unwrap();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].contains(r#""cold_starts":1"#) && lines[0].contains(r#""function":"test""#),
        "{lines:?}"
    );
}

#[test]
fn nothing_is_kept_where_nothing_is_written() {
    let metrics = Metrics::default();
    metrics.begin();
    metrics.count(Metric::RunsStarted, &[("trigger", "api")]);
    assert!(metrics.figures.lock().unwrap().is_empty());
}
