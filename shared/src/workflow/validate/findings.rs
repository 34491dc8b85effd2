//! Collecting issues, and counting what collecting them may cost.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    issue::{Check, Issue, Severity},
    limits::ISSUES_MAX,
    suggest,
};
use super::report::{CheckResult, Readiness, Report};

/// "Did you mean" compares with every candidate; past this many nobody reads them.
const SUGGESTIONS_MAX: u32 = 100;

/// What the checks have found so far.
#[derive(Debug)]
pub(super) struct Findings {
    issues: Vec<Issue>,
    unlisted: usize,
    worst: BTreeMap<Check, Severity>,
    skipped: BTreeSet<Check>,
    suggestions_left: u32,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            issues: Vec::new(),
            unlisted: 0,
            worst: BTreeMap::new(),
            skipped: BTreeSet::new(),
            suggestions_left: SUGGESTIONS_MAX,
        }
    }
}

impl Findings {
    pub(super) fn push(&mut self, issue: Issue) {
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

    pub(super) fn skip_all_but(&mut self, performed: Check) {
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

    pub(super) fn report(mut self, graph_hash: String) -> Report {
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
            Some(Severity::Error) => CheckResult::Failed,
            Some(Severity::Warning) => CheckResult::Warning,
            None if self.skipped.contains(&check) => CheckResult::Skipped,
            None => CheckResult::Passed,
        };
        Report {
            valid,
            readiness: if valid { Readiness::Ready } else { Readiness::Blocked },
            graph_hash,
            checks_performed: Check::ALL.to_vec(),
            check_results: Check::ALL.into_iter().map(|check| (check, result(check))).collect(),
            issues: self.issues,
        }
    }
}
