//! What a route leaves in the trail, and under which name.

use std::borrow::Cow;

/// What a route leaves in the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// An entry with this action, written by the layer around the route.
    Always(Cow<'static, str>),
    /// The handler says what it does and when, by `api::Trail`; this is the action of a request that is refused
    /// before it does.
    ByHandler(Cow<'static, str>),
    /// Nothing: it changes nothing.
    Never,
}

/// The routes for which method and path do not say it: what changes nothing although it is a POST, what has a
/// better name than its path, what the handler names itself.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str, Traced)] = &[
    ("POST", "/v1/workflows/validate", Traced::Never),
    ("POST", "/v1/workflows/{id}/validate", Traced::Never),
    ("POST", "/v1/mcp/servers/{id}/validate", Traced::Never),
    ("POST", "/v1/mcp/instances/resolve", Traced::Never),
    ("POST", "/v1/llm/resolve", Traced::Never),
    ("POST", "/v1/billing/discounts/validate", Traced::Never),
    ("POST", "/v1/workflows/{id}/command", Traced::ByHandler(Cow::Borrowed("run.command"))),
    ("POST", "/v1/workflows/{id}/versions", Traced::Always(Cow::Borrowed("workflow.publish"))),
    ("GET", "/v1/pats/{id}/reveal", Traced::Always(Cow::Borrowed("pat.reveal"))),
    // What operators do to a workspace is traced in the workspace, with what it makes.
    ("POST", "/v1/onboarding/workspaces", Traced::Never),
    ("POST", "/v1/onboarding/workspaces/{tenant_id}/admins", Traced::Never),
    // Operators' changes are in the ledger, which is a trail of its own.
    ("POST", "/v1/billing/grants", Traced::Never),
    ("PUT", "/v1/billing/action-pricing", Traced::Never),
    ("POST", "/v1/billing/codes", Traced::Never),
    // Each call of a tool is a request of its own.
    ("POST", "/mcp", Traced::Never),
];

/// What this route leaves in the trail: everything that is not a GET leaves an entry, named after its path.
pub fn traced(method: &str, route: &str) -> Traced {
    let exception = EXCEPTIONS.iter().find(|(m, path, _)| *m == method && *path == route);
    match (exception, method) {
        (Some((_, _, traced)), _) => traced.clone(),
        (None, "GET" | "HEAD" | "OPTIONS") => Traced::Never,
        (None, _) => Traced::Always(Cow::Owned(action(method, route))),
    }
}

/// `POST /v1/workflows/{id}/triggers` is `trigger.create`, `DELETE /v1/pats/{id}` is `pat.delete`,
/// `POST …/tasks/{task_id}/complete` is `task.complete`.
fn action(method: &str, route: &str) -> String {
    let parts: Vec<&str> = route.split('/').filter(|part| !part.is_empty() && *part != "v1").collect();
    let literals: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with('{')).collect();
    let last = literals.last().copied().unwrap_or("request");
    let parent = literals.iter().rev().nth(1).copied().unwrap_or(last);
    let ends_with_id = parts.last().is_some_and(|part| part.starts_with('{'));
    let one = |many: &str| many.strip_suffix('s').unwrap_or(many).to_owned();
    match method {
        "DELETE" => format!("{}.delete", one(last)),
        "PUT" => format!("{}.replace", one(last)),
        "PATCH" => format!("{}.update", one(last)),
        // Only collections end with an s, and only what is done to a thing does not.
        _ if ends_with_id || last.ends_with('s') || literals.len() == 1 => format!("{}.create", one(last)),
        _ => format!("{}.{last}", one(parent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_follow_from_method_and_path() {
        let named = |method, route| match traced(method, route) {
            Traced::Always(action) => action.into_owned(),
            other => format!("{other:?}"),
        };
        for (method, route, action) in [
            ("POST", "/v1/workflows", "workflow.create"),
            ("PATCH", "/v1/workflows/{id}", "workflow.update"),
            ("DELETE", "/v1/workflows/{id}", "workflow.delete"),
            ("POST", "/v1/workflows/{id}/restore", "workflow.restore"),
            ("POST", "/v1/workflows/{id}/versions", "workflow.publish"),
            ("POST", "/v1/workflows/{id}/triggers", "trigger.create"),
            ("PUT", "/v1/workflows/{id}/connection-overrides", "connection-override.replace"),
            ("POST", "/v1/workflows/{id}/runs/{run_id}/retry", "run.retry"),
            ("POST", "/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete", "task.complete"),
            ("POST", "/v1/inbound-webhooks/{id}/rotate-secret", "inbound-webhook.rotate-secret"),
            ("POST", "/v1/mcp/servers/{id}/discover", "server.discover"),
            ("POST", "/v1/mcp/servers/{id}/connections/{connection_id}/validate", "connection.validate"),
            ("POST", "/v1/mcp/instances/{id}/validate", "instance.validate"),
            ("GET", "/v1/pats/{id}/reveal", "pat.reveal"),
            ("GET", "/v1/pats", "Never"),
            ("POST", "/v1/workflows/validate", "Never"),
            ("POST", "/v1/workflows/{id}/command", "ByHandler(\"run.command\")"),
        ] {
            assert_eq!(named(method, route), action, "{method} {route}");
        }
    }
}
