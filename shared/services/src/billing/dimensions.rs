//! What a tenant has used, by what, from the counters that are kept as runs end.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::analytics::Asked;
use crate::state::AppState;
use billing::{Action, Microcredits};
use engine::analytics::{Figures, Granularity};
use platform::boxed;
use types::Result;
use types::clock::Timestamp;
use types::ids::{Place, TenantId};

/// How many projects are listed at a time.
const PAGE: usize = 100;

/// What was used, by what.
#[derive(Debug, Serialize, ToSchema)]
pub struct DimensionsView {
    /// From this time on; null when it is from the beginning.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until this time.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// By project, in which something was used.
    projects: Vec<ProjectUse>,
    /// By action that is charged for.
    actions: Vec<ActionUse>,
    /// By step type, of which something was executed.
    step_types: Vec<StepTypeUse>,
}

/// What a project has used.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectUse {
    /// The project.
    project_id: String,
    /// Step attempts that succeeded.
    count: u64,
    /// A million of them is a credit.
    microcredits: Microcredits,
}

/// How often something was done that is charged for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionUse {
    /// The action.
    action: Action,
    /// How often.
    count: u64,
    /// A million of them is a credit.
    microcredits: Microcredits,
}

/// How many steps of a type were executed.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepTypeUse {
    /// The type.
    step_type: String,
    /// Step attempts that succeeded.
    count: u64,
}

/// What a tenant's projects have used in a range, archived ones too.
///
/// # Errors
/// Invalid, naming the parameter; when the database does not answer.
#[boxed]
pub async fn dimensions(state: &AppState, tenant: &TenantId, asked: Asked) -> Result<DimensionsView> {
    let range = Asked { granularity: Some(Granularity::Day), ..asked }.range(state.clock.now())?;
    let mut projects = Vec::new();
    let mut types: BTreeMap<String, u64> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = state.store.list_projects(tenant, PAGE, cursor.take()).await?;
        for project in page.rows {
            let place = Place { tenant_id: tenant.clone(), project_id: project.project_id };
            let mut figures = Figures::default();
            for of_day in state.store.counters(&place, &range).await?.values() {
                figures += of_day;
            }
            for step_type in figures.step_types() {
                *types.entry(step_type.to_owned()).or_default() += figures.of_type(step_type).0;
            }
            projects.push(ProjectUse {
                project_id: place.project_id.to_string(),
                count: figures.steps_executed(),
                microcredits: Microcredits(figures.microcredits()),
            });
        }
        cursor = page.next.map(|next| next.parse()).transpose().map_err(|_| project_id())?;
        if cursor.is_none() {
            break;
        }
    }
    projects.retain(|project| project.count > 0);
    let steps = ActionUse {
        action: Action::StepExecute,
        count: projects.iter().map(|project| project.count).sum(),
        microcredits: projects.iter().map(|project| project.microcredits).sum(),
    };
    let used = types.into_iter().filter(|(_, count)| *count > 0);
    let step_types = used.map(|(step_type, count)| StepTypeUse { step_type, count }).collect();
    Ok(DimensionsView { from: range.from(), to: range.to(), projects, actions: vec![steps], step_types })
}

fn project_id() -> types::Error {
    types::Error::internal("a list of projects goes on at something else")
}
