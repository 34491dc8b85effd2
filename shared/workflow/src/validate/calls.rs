//! `workflow_call`: whether what is called is there, as far as the caller knows.

use super::super::steps::StepKind;
use super::super::template::has_template;
use super::{
    bindings::{Bindings, Called},
    findings::Findings,
    view::View,
};
use types::issue::Check;
use types::suggest::quote;

pub(super) fn check(view: &View<'_>, bindings: &dyn Bindings, findings: &mut Findings) {
    for site in view.sites() {
        let StepKind::WorkflowCall(call) = &site.step.kind else { continue };
        let id = &call.workflow_id;
        if id.is_empty() || has_template(id) {
            continue;
        }
        match bindings.workflow(id) {
            Called::Unknown | Called::Published => {}
            Called::NoWorkflow => {
                let message = format!("there is no workflow {:?} in this project", quote(id));
                let issue =
                    site.error(Check::StepConfig, "called_workflow_not_found", "workflow_id", message);
                findings.push(issue.suggest("name a workflow of this project by its id"));
            }
            Called::Itself => {
                let message = "a workflow cannot call itself, directly or through others".to_owned();
                let issue = site.error(Check::StepConfig, "workflow_calls_itself", "workflow_id", message);
                findings.push(issue.suggest("call another workflow; to repeat steps use a while step"));
            }
            Called::NotRunnable => {
                let message =
                    format!("the workflow {:?} has no published version, or is archived", quote(id));
                let issue =
                    site.warning(Check::StepConfig, "called_workflow_not_published", "workflow_id", message);
                findings.push(issue.suggest("publish it before this one runs"));
            }
        }
    }
}
