//! `llm_call`: whether its model can be told, its provider takes its parameters, and there is a key to call with, as
//! far as the caller knows. What a template still has to give is judged when the step runs.

use super::super::steps::{CredentialScope, LlmCall, StepKind};
use super::super::template::has_template;
use super::{
    bindings::{Bindings, ModelKeys},
    findings::Findings,
    view::{Site, View},
};
use crate::model::catalog::provider_of;
use crate::model::{BadModelRef, ModelRef, Provider, check_model, problems, response_format};
use types::issue::Check;
use types::suggest::quote;

pub(super) fn check(view: &View<'_>, bindings: &dyn Bindings, findings: &mut Findings) {
    for site in view.sites() {
        let StepKind::LlmCall(call) = &site.step.kind else { continue };
        if let Err(problem) = response_format(call) {
            let issue =
                site.error(Check::StepConfig, "llm_response_format_unknown", problem.field, problem.message);
            findings.push(issue.suggest(problem.suggestion));
        }
        let own = bindings.model_keys().and_then(|keys| credential(&site, call, keys, findings));
        let Some(provider) = provider(&site, call, own, findings) else { continue };
        for problem in call.llm_params.as_ref().map(|params| problems(provider, params)).unwrap_or_default() {
            let issue =
                site.error(Check::StepConfig, "llm_param_not_supported", problem.field, problem.message);
            findings.push(issue.suggest(problem.suggestion));
        }
        if let Some(keys) = bindings.model_keys() {
            key_of(&site, call, (provider, own), keys, findings);
        }
    }
}

/// The provider of the project's key that the step names, if it does.
fn credential(
    site: &Site<'_>,
    call: &LlmCall,
    keys: &ModelKeys,
    findings: &mut Findings,
) -> Option<Provider> {
    let id = call.llm_credential_id.as_deref()?;
    if call.llm_credential_scope == Some(CredentialScope::System) {
        return None;
    }
    let known = keys.project.get(id).copied();
    if known.is_none() {
        let message = format!("this project has no key {:?} of a model provider", quote(id));
        let issue = site.error(Check::StepConfig, "llm_credential_not_found", "llm_credential_id", message);
        findings.push(issue.suggest("use an id that GET /v1/llm-provider-keys lists"));
    }
    known
}

/// Whose model the step calls; none when it cannot be told, which is an issue unless a template or a key that is not
/// known here tells.
fn provider(
    site: &Site<'_>,
    call: &LlmCall,
    own: Option<Provider>,
    findings: &mut Findings,
) -> Option<Provider> {
    let mut refuse = |code, field, message: String, suggestion: String| {
        findings.push(site.error(Check::StepConfig, code, field, message).suggest(suggestion));
        None
    };
    let invalid = |bad: &BadModelRef| match bad {
        BadModelRef::Provider(_) => "llm_provider_unknown",
        BadModelRef::Form | BadModelRef::Model => "llm_model_ref_invalid",
    };
    match (&call.model, &call.model_ref) {
        (Some(model), _) if has_template(model) || model.trim().is_empty() => own,
        (Some(model), _) => {
            if let Err(bad) = check_model(model) {
                return refuse("llm_model_unknown", "model", bad.to_string(), bad.suggestion());
            }
            let known = own.or_else(|| provider_of(model));
            if known.is_none() && call.llm_credential_id.is_none() {
                let message = format!("{:?} is no provider's model by the catalog", quote(model));
                let suggestion = format!(
                    "write model_ref: direct.<provider>.{} with one of {}",
                    quote(model),
                    Provider::names()
                );
                return refuse("llm_model_unknown", "model", message, suggestion);
            }
            known
        }
        (None, Some(text)) if has_template(text) || text.trim().is_empty() => own,
        (None, Some(text)) => match text.parse::<ModelRef>() {
            Ok(found) => Some(found.provider),
            Err(bad) => refuse(invalid(&bad), "model_ref", bad.to_string(), bad.suggestion()),
        },
        (None, None) => own,
    }
}

/// Whether there is a key for the step's provider.
fn key_of(
    site: &Site<'_>,
    call: &LlmCall,
    (provider, own): (Provider, Option<Provider>),
    keys: &ModelKeys,
    findings: &mut Findings,
) {
    if let Some(own) = own
        && own != provider
    {
        let message = format!("the key is one of {own}, and the model is one of {provider}");
        let issue = site.error(Check::StepConfig, "llm_credential_mismatch", "llm_credential_id", message);
        findings.push(issue.suggest(format!("name a key of {provider}, or another model")));
    }
    let in_project = keys.project.values().any(|known| *known == provider);
    let (missing, whose) = match call.llm_credential_scope {
        _ if call.llm_credential_id.is_some() => return,
        Some(CredentialScope::Tenant) => (!in_project, "this project has"),
        Some(CredentialScope::System) => (!keys.deployment, "the deployment has"),
        None => (!in_project && !keys.deployment, "neither this project nor the deployment has"),
    };
    if missing {
        let none = if call.llm_credential_scope.is_some() { "no key" } else { "a key" };
        let message = format!("{whose} {none} for {}", provider.title());
        let field = if call.model.is_some() { "model" } else { "model_ref" };
        let issue = site.warning(Check::StepConfig, "llm_key_missing", field, message);
        findings.push(issue.suggest("add one with POST /v1/llm-provider-keys before this runs"));
    }
}
