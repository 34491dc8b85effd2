//! Which projects of a workspace somebody may look into. A token is one project's, and lists of the whole workspace show what
//! its owner may see in the others.

use crate::auth::Caller;
use crate::state::AppState;
use store::MemberRecord;
use types::Result;
use types::ids::ProjectId;
use types::role::Role;

/// The projects in which a caller has a role.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The token's own, which it was checked for.
    own: ProjectId,
    others: Others,
}

#[derive(Debug)]
enum Others {
    All,
    Of(Option<MemberRecord>),
}

impl Reach {
    /// A `tenant_admin` has all of them; of others the member's row is read.
    ///
    /// # Errors
    /// Unavailable when the database does not answer.
    pub(crate) async fn of(state: &AppState, caller: &Caller) -> Result<Self> {
        let others = match caller.role {
            Role::TenantAdmin => Others::All,
            _ => Others::Of(state.store.member(&caller.place.tenant_id, caller.member_id).await?),
        };
        Ok(Self { own: caller.place.project_id.clone(), others })
    }

    pub(crate) fn includes(&self, project: &ProjectId) -> bool {
        match &self.others {
            Others::All => true,
            Others::Of(member) => {
                *project == self.own
                    || member.as_ref().is_some_and(|member| member.role_in(project).is_some())
            }
        }
    }
}
