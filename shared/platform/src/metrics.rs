//! What is measured while work is done, for CloudWatch: lines of its embedded metric format, which become metrics
//! when they reach a log group, without a request of their own.
//!
//! Figures come together in memory and are written when an invocation has ended, as few lines as they fit in: a line
//! costs by its length. Every metric stands there for the whole stack, and once more by its labels, whose values are
//! few and known. Other than on Lambda nothing is written.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use types::clock::Timestamp;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "AgentRuntime";
/// The dimension that tells deployments apart.
const STACK: &str = "stack";
/// The most values of one metric that CloudWatch takes in a line.
const MOST_VALUES: usize = 100;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Runs that were accepted, by `trigger`.
    RunsStarted,
    /// Runs that ended, by `outcome`.
    RunsEnded,
    /// How long an attempt at a step took, by `step_type` and `step_outcome`.
    StepDuration,
    /// How old a message was when a worker received it; a delay that was asked for counts.
    QueueAge,
    /// Runs that the sweep had to wake.
    SweepRepairs,
    /// Rows that the sweep could not act on.
    SweepFailures,
    /// Deliveries of webhooks that were refused, by `reason`.
    IngressRefusals,
    /// Environments whose first invocation this is, by `function`.
    ColdStarts,
}

impl Metric {
    const fn name(self) -> &'static str {
        match self {
            Self::RunsStarted => "runs_started",
            Self::RunsEnded => "runs_ended",
            Self::StepDuration => "step_duration",
            Self::QueueAge => "queue_age",
            Self::SweepRepairs => "sweep_repairs",
            Self::SweepFailures => "sweep_failures",
            Self::IngressRefusals => "ingress_refusals",
            Self::ColdStarts => "cold_starts",
        }
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::StepDuration | Self::QueueAge)
    }

    const fn unit(self) -> &'static str {
        if self.is_time() { "Milliseconds" } else { "Count" }
    }
}

/// Where lines go.
#[derive(Debug, Clone, Default)]
pub enum MetricsSink {
    /// Nowhere: nothing is measured.
    #[default]
    Off,
    /// To standard output, which Lambda gives to CloudWatch.
    Lambda {
        /// The stack's name.
        stack: String,
        /// The function's.
        function: String,
    },
    /// Into memory, for tests.
    Kept(Arc<Mutex<Vec<String>>>),
}

/// A metric with its labels.
type Series = (Metric, Vec<(&'static str, String)>);

/// Measures. One for a process.
#[derive(Debug, Default)]
pub struct Metrics {
    sink: MetricsSink,
    figures: Mutex<BTreeMap<Series, Vec<u64>>>,
    is_warm: AtomicBool,
}

impl Metrics {
    /// Whose lines go there.
    pub fn new(sink: MetricsSink) -> Self {
        Self { sink, ..Self::default() }
    }

    /// An invocation begins.
    pub fn begin(&self) {
        if !self.is_warm.swap(true, Ordering::Relaxed) {
            self.count(Metric::ColdStarts, &[("function", self.function())]);
        }
    }

    /// It happened once.
    pub fn count(&self, metric: Metric, labels: &[(&'static str, &str)]) {
        self.note(metric, labels, 1);
    }

    /// It took so long.
    pub fn time(&self, metric: Metric, labels: &[(&'static str, &str)], took: Duration) {
        self.note(metric, labels, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    fn note(&self, metric: Metric, labels: &[(&'static str, &str)], value: u64) {
        if matches!(self.sink, MetricsSink::Off) {
            return;
        }
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let values = figures.entry((metric, labels)).or_default();
        match values.first_mut() {
            Some(count) if !metric.is_time() => *count += value,
            _ => values.push(value),
        }
    }

    /// Writes what was measured since the last time.
    pub fn flush(&self, now: Timestamp) {
        let figures = std::mem::take(&mut *self.figures.lock().unwrap_or_else(PoisonError::into_inner));
        if figures.is_empty() {
            return;
        }
        let lines = Line::of(figures).into_iter().map(|line| line.write(self.stack(), now));
        match &self.sink {
            MetricsSink::Off => {}
            MetricsSink::Lambda { .. } => {
                let text: String = lines.map(|line| line + "\n").collect();
                // Without an output there is nobody to tell.
                let _ = std::io::stdout().lock().write_all(text.as_bytes());
            }
            MetricsSink::Kept(kept) => kept.lock().unwrap_or_else(PoisonError::into_inner).extend(lines),
        }
    }

    fn stack(&self) -> &str {
        match &self.sink {
            MetricsSink::Lambda { stack, .. } => stack,
            MetricsSink::Off | MetricsSink::Kept(_) => "test",
        }
    }

    fn function(&self) -> &str {
        match &self.sink {
            MetricsSink::Lambda { function, .. } => function,
            MetricsSink::Off | MetricsSink::Kept(_) => "test",
        }
    }
}

/// A line under way. Metrics share one as long as their labels of the same name have the same value.
#[derive(Debug, Default)]
struct Line {
    labels: BTreeMap<&'static str, String>,
    metrics: Vec<(Metric, Vec<&'static str>, Vec<u64>)>,
}

impl Line {
    fn of(figures: BTreeMap<Series, Vec<u64>>) -> Vec<Self> {
        let mut lines: Vec<Self> = Vec::new();
        for ((metric, labels), values) in figures {
            for part in values.chunks(MOST_VALUES) {
                let place = lines.iter().position(|line| line.takes(metric, &labels));
                let place = place.unwrap_or_else(|| {
                    lines.push(Self::default());
                    lines.len() - 1
                });
                lines[place].metrics.push((
                    metric,
                    labels.iter().map(|(name, _)| *name).collect(),
                    part.to_vec(),
                ));
                lines[place].labels.extend(labels.iter().cloned());
            }
        }
        lines
    }

    fn takes(&self, metric: Metric, labels: &[(&'static str, String)]) -> bool {
        let fits =
            |(name, value): &(&'static str, String)| self.labels.get(name).is_none_or(|own| own == value);
        self.metrics.iter().all(|(other, ..)| *other != metric) && labels.iter().all(fits)
    }

    /// As <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
    /// has it.
    fn write(self, stack: &str, now: Timestamp) -> String {
        let mut line = Map::new();
        let directive = |(metric, labels, _): &(Metric, Vec<&'static str>, Vec<u64>)| {
            let mut dimensions = vec![vec![STACK]];
            if !labels.is_empty() {
                dimensions.push([&[STACK][..], labels].concat());
            }
            json!({
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{ "Name": metric.name(), "Unit": metric.unit() }],
            })
        };
        let directives: Vec<Value> = self.metrics.iter().map(directive).collect();
        line.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": now.as_millis(), "CloudWatchMetrics": directives }),
        );
        line.insert(STACK.to_owned(), stack.into());
        line.extend(self.labels.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        for (metric, _, values) in self.metrics {
            let value = match values.as_slice() {
                [one] => json!(one),
                several => json!(several),
            };
            line.insert(metric.name().to_owned(), value);
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests;
