//! What the edges mean: allowlists, roots that wait for a grant, and what closes an episode.

use super::super::step_set::{StepIx, StepSet};
use super::{
    findings::Findings,
    view::{Site, View},
};
use types::issue::Check;
use types::suggest::quote;

/// The one entry of an allowlist that is no step.
const HUMAN: &str = "human";

pub(super) fn check(view: &View<'_>, findings: &mut Findings) {
    for site in view.sites() {
        allowlist(view, &site, findings);
        if site.inner.is_none() && site.step.no_auto_start && !site.step.depends_on.is_empty() {
            let message = "only a root can wait for an entry grant; this step waits for others already";
            let issue = site.error(Check::Dependencies, "no_auto_start_not_root", "no_auto_start", message);
            findings.push(issue.suggest("remove depends_on or no_auto_start"));
        }
    }
    episodes(view, findings);
}

fn allowlist(view: &View<'_>, site: &Site<'_>, findings: &mut Findings) {
    let ancestors = view.ancestors(site.top);
    for (place, id) in site.step.input_allowlist.iter().enumerate() {
        let field = format!("input_allowlist[{place}]");
        match view.edges.ids.get(id) {
            _ if id == HUMAN || id.is_empty() => {}
            Some(ix) if ancestors.contains(*ix) => {}
            Some(_) => {
                let message = format!("{:?} is no ancestor, so the entry allows nothing", quote(id));
                let issue = site.warning(Check::Dependencies, "allowlist_not_ancestor", &field, message);
                findings.push(issue.suggest("add it to depends_on, or remove the entry"));
            }
            None => {
                let message = format!("there is no step {:?} to allow", quote(id));
                let known = view.edges.ids.keys().map(String::as_str).chain([HUMAN]);
                let suggestion = findings.did_you_mean(id, known, || "remove the entry".to_owned());
                let issue = site.error(Check::Dependencies, "allowlist_unknown_step", &field, message);
                findings.push(issue.suggest(suggestion));
            }
        }
    }
}

/// A graph with a root that waits for an entry grant runs in episodes, and completing a terminal step
/// closes one. Without a terminal step that can be reached from the root, entering there leaves the
/// episode open until the run as a whole is over. That is legal, hence a warning.
fn episodes(view: &View<'_>, findings: &mut Findings) {
    let top: Vec<Site<'_>> = view.sites().filter(|site| site.inner.is_none()).collect();
    let closing = |site: &Site<'_>| site.step.terminal && site.step.enabled;
    let mut closed: StepSet = StepSet::default();
    for site in top.iter().filter(|site| closing(site)) {
        closed.extend_with(&view.ancestors(site.top));
        closed.insert(StepIx::at(site.top));
    }
    let entries = top.iter().filter(|site| site.step.no_auto_start && site.step.depends_on.is_empty());
    for site in entries.filter(|site| !closed.contains(StepIx::at(site.top))) {
        let message = "the step waits for an entry grant, but no terminal step follows that would close \
                       the episode it opens";
        let issue = site.warning(Check::Dependencies, "episode_never_closes", "no_auto_start", message);
        findings.push(issue.suggest("set terminal on the step that ends the episode"));
    }
}
