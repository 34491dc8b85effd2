//! Places in the sparse index of what has to be done at a time.

use platform::secrets::SecretRef;
use types::clock::Timestamp;
use types::ids::{Place, RunRef, TenantId, TriggerRef};

/// How many partitions the deadline index is spread over.
pub const DEADLINE_SHARDS: u8 = 8;

/// One of the deadline index's partitions.
pub(crate) fn deadline_shard(shard: u8) -> String {
    format!("D#{shard}")
}

/// The partition that a run's deadline stands in.
pub(crate) fn deadline_shard_of(run: &RunRef) -> String {
    shard_of(&run.run_id.to_string())
}

/// The partition that a trigger's due time stands in.
pub(crate) fn trigger_shard_of(trigger: &TriggerRef) -> String {
    shard_of(&trigger.trigger_id.to_string())
}

pub(super) fn shard_of(id: &str) -> String {
    // FNV-1a: the spread must be the same in every process, which std's hasher does not promise.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    deadline_shard(u8::try_from(hash % u64::from(DEADLINE_SHARDS)).unwrap_or(0))
}

/// A run's place in the deadline index.
pub(crate) fn deadline_position(at: Timestamp, run: &RunRef) -> String {
    format!("{}#{}#{}#{}", deadline_before(at), run.place.tenant_id, run.place.project_id, run.run_id)
}

/// Stands in a trigger's place where a run's has its tenant; no tenant is spelled like this.
const TRIGGER_MARK: &str = "TRIGGER";

/// A trigger's place in the deadline index.
pub(crate) fn trigger_position(at: Timestamp, trigger: &TriggerRef) -> String {
    let TriggerRef { place, workflow_id, trigger_id } = trigger;
    let at = deadline_before(at);
    format!("{at}#{TRIGGER_MARK}#{}#{}#{workflow_id}#{trigger_id}", place.tenant_id, place.project_id)
}

/// Stands in the place of a tenant's standing where a run has its tenant.
pub(super) const PLAN_MARK: &str = "PLAN";
/// Stands in the place of a secret that nothing owns where a run has its tenant.
const SECRET_MARK: &str = "SECRET";

/// The place of a secret that nothing owns in the deadline index.
pub(crate) fn secret_position(at: Timestamp, secret: &SecretRef) -> String {
    let SecretRef { place, kind, owner, version } = secret;
    let at = deadline_before(at);
    format!("{at}#{SECRET_MARK}#{}#{}#{kind}#{owner}#{version}", place.tenant_id, place.project_id)
}

/// The partition that it stands in.
pub(crate) fn secret_shard_of(secret: &SecretRef) -> String {
    shard_of(&secret.version.to_string())
}

/// Sorts before every deadline at or after this time.
pub(crate) fn deadline_before(at: Timestamp) -> String {
    format!("{:015}", at.as_millis().max(0))
}

/// What stands at a place of the deadline index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtDeadline {
    Run(RunRef),
    Trigger(TriggerRef),
    Secret(SecretRef),
    Standing(TenantId),
}

/// A place in the deadline index at another time.
pub(crate) fn moved_position(position: &str, to: Timestamp) -> String {
    let what = position.split_once('#').map_or(position, |(_, what)| what);
    format!("{}#{what}", deadline_before(to))
}

/// The time of a place in the deadline index.
pub(crate) fn deadline_of(position: &str) -> Option<Timestamp> {
    position.split('#').next()?.parse().ok().map(Timestamp::from_millis)
}

/// What stands at this place of the deadline index.
pub(crate) fn at_deadline(position: &str) -> Option<AtDeadline> {
    let place = |tenant: &str, project: &str| {
        Some(Place { tenant_id: tenant.parse().ok()?, project_id: project.parse().ok()? })
    };
    match position.split('#').skip(1).collect::<Vec<_>>()[..] {
        [PLAN_MARK, tenant] => Some(AtDeadline::Standing(tenant.parse().ok()?)),
        [tenant, project, run] => {
            Some(AtDeadline::Run(RunRef { place: place(tenant, project)?, run_id: run.parse().ok()? }))
        }
        [TRIGGER_MARK, tenant, project, workflow, trigger] => Some(AtDeadline::Trigger(TriggerRef {
            place: place(tenant, project)?,
            workflow_id: workflow.parse().ok()?,
            trigger_id: trigger.parse().ok()?,
        })),
        [SECRET_MARK, tenant, project, kind, owner, version] => Some(AtDeadline::Secret(SecretRef {
            place: place(tenant, project)?,
            kind: kind.parse().ok()?,
            owner: owner.parse().ok()?,
            version: version.parse().ok()?,
        })),
        _ => None,
    }
}
