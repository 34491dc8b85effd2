//! Collecting issues, and counting what collecting them may cost.

use std::collections::{BTreeMap, BTreeSet};

use super::super::limits::ISSUES_MAX;
use super::report::{CheckResult, Readiness, Report};
use types::issue::{Check, Issue, Severity};
use types::suggest;

/// "Did you mean" compares with every candidate; past this many nobody reads them.
const SUGGESTIONS_MAX: u32 = 100;

/// The most blockers of a report: each stands among its issues, too.
const BLOCKERS_MAX: usize = 100;

/// What the checks have found so far.
#[derive(Debug)]
pub(super) struct Findings {
    issues: Vec<Issue>,
    /// Issues of the structure when that check is not asked for: told when no other check can be made because of them.
    set_aside: Vec<Issue>,
    checks: BTreeSet<Check>,
    /// The ids of the steps whose issues are asked for.
    steps: Option<BTreeSet<String>>,
    unlisted: usize,
    worst: BTreeMap<Check, Severity>,
    skipped: BTreeSet<Check>,
    suggestions_left: u32,
}

impl Findings {
    /// Findings of these checks.
    pub(super) fn of(checks: &[Check]) -> Self {
        Self {
            issues: Vec::new(),
            set_aside: Vec::new(),
            checks: checks.iter().copied().collect(),
            steps: None,
            unlisted: 0,
            worst: BTreeMap::new(),
            skipped: BTreeSet::new(),
            suggestions_left: SUGGESTIONS_MAX,
        }
    }

    /// Leaves out the issues of other steps from here on.
    pub(super) fn only_steps(&mut self, ids: BTreeSet<String>) {
        self.steps = Some(ids);
    }

    /// Whether a check is asked for.
    pub(super) fn wants(&self, check: Check) -> bool {
        self.checks.contains(&check)
    }

    pub(super) fn push(&mut self, issue: Issue) {
        if !self.wants(issue.check) {
            if issue.check == Check::Graph && self.set_aside.len() < ISSUES_MAX {
                self.set_aside.push(issue);
            }
            return;
        }
        let is_of_others =
            |ids: &BTreeSet<String>| issue.step_id.as_ref().is_some_and(|id| !ids.contains(id));
        if self.steps.as_ref().is_some_and(is_of_others) {
            return;
        }
        let worst = self.worst.entry(issue.check).or_insert(issue.severity);
        *worst = (*worst).min(issue.severity);
        if self.issues.len() < ISSUES_MAX {
            self.issues.push(issue);
        } else {
            self.unlisted += 1;
        }
    }

    pub(super) fn extend(&mut self, issues: impl IntoIterator<Item = Issue>) {
        for issue in issues {
            self.push(issue);
        }
    }

    /// Marks a check as having nothing to go by.
    pub(super) fn skip(&mut self, check: Check) {
        self.skipped.insert(check);
    }

    /// Nothing but this check could be made: it is told, whatever was asked for.
    pub(super) fn skip_all_but(&mut self, performed: Check) {
        self.steps = None;
        if self.checks.insert(performed) {
            let set_aside = std::mem::take(&mut self.set_aside);
            self.extend(set_aside.into_iter().filter(|issue| issue.check == performed));
        }
        self.skipped.extend(Check::ALL.into_iter().filter(|check| *check != performed));
    }

    /// "did you mean …?", or `otherwise`.
    pub(super) fn did_you_mean<'a>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
        otherwise: impl FnOnce() -> String,
    ) -> String {
        if self.suggestions_left == 0 {
            return otherwise();
        }
        self.suggestions_left -= 1;
        suggest::closest(name, candidates).map_or_else(otherwise, |near| format!("did you mean {near:?}?"))
    }

    pub(super) fn report(mut self, graph_hash: String, topological_order: Vec<String>) -> Report {
        let valid = !self.worst.values().any(|severity| *severity == Severity::Error);
        self.issues.sort_by_key(|issue| issue.check);
        if self.unlisted > 0 {
            let message = format!("{} more issues are not listed", self.unlisted);
            self.issues.push(
                Issue::warning(Check::Graph, "too_many_issues", "$", message)
                    .suggest("mend what is listed and validate again"),
            );
        }
        let result = |check: Check| match self.worst.get(&check) {
            _ if !self.wants(check) => CheckResult::Skipped,
            Some(Severity::Error) => CheckResult::Failed,
            Some(Severity::Warning) => CheckResult::Warning,
            None if self.skipped.contains(&check) => CheckResult::Skipped,
            None => CheckResult::Passed,
        };
        Report {
            valid,
            readiness: if valid { Readiness::Ready } else { Readiness::Blocked },
            graph_hash,
            checks_performed: self.checks.iter().copied().collect(),
            check_results: Check::ALL.into_iter().map(|check| (check, result(check))).collect(),
            blockers: self
                .issues
                .iter()
                .filter(|issue| issue.is_error())
                .take(BLOCKERS_MAX)
                .cloned()
                .collect(),
            topological_order,
            issues: self.issues,
        }
    }
}
