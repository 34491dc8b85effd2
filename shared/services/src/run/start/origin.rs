//! Who or what starts a run.

use super::params::StartParams;
use engine::binding::Bindings;
use engine::{Parent, TriggerType};
use store::{AuditRecord, Receipt};
use types::clock::Timestamp;
use types::ids::{RunId, TriggerId};

/// A start: what is asked for, by whom, and what they may have done.
#[derive(Debug, Clone)]
pub struct StartCommand {
    /// What is asked for.
    pub params: StartParams,
    /// By whom.
    pub origin: Origin,
    /// The caller's token lacks `mcp:execute`: a graph that calls tools is refused, and so are those of the run's
    /// children.
    pub without_mcp: bool,
}

/// Who or what starts a run, and what only that one brings with it.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A caller of the API, who may choose the run's id.
    Api {
        /// The start's entry of the audit trail: kept with the run, or not at all.
        trace: Option<Box<AuditRecord>>,
    },
    /// A delivery to a webhook.
    Webhook {
        /// By which the delivery is known: it is kept with the run, and known ones start none.
        receipt: Receipt,
    },
    /// A trigger.
    Trigger {
        /// The trigger.
        id: TriggerId,
        /// The time at which it was due: together they are one run, however often it is started.
        due: Timestamp,
    },
    /// A step of another run.
    Parent {
        /// The step.
        parent: Parent,
        /// The id that the step waits for.
        child: RunId,
        /// What started the run that calls.
        trigger_type: TriggerType,
        /// What the calling run's servers were resolved to.
        inherited: Bindings,
    },
}

impl Origin {
    /// The id that the run has to have; any when none.
    pub(super) fn run_id(&self, params: &StartParams) -> Option<RunId> {
        match self {
            Self::Api { .. } => params.run_id,
            Self::Webhook { .. } => None,
            Self::Trigger { id, due } => Some(RunId::of_trigger(*id, *due)),
            Self::Parent { child, .. } => Some(*child),
        }
    }

    /// What the run says that it was started by.
    pub(super) fn trigger_type(&self, params: &StartParams) -> TriggerType {
        match self {
            Self::Api { .. } => params.trigger_type,
            Self::Webhook { .. } => TriggerType::Webhook,
            Self::Trigger { .. } => TriggerType::Schedule,
            Self::Parent { trigger_type, .. } => *trigger_type,
        }
    }

    /// The step that calls, if one does.
    pub(super) fn parent(&self) -> Option<&Parent> {
        match self {
            Self::Parent { parent, .. } => Some(parent),
            Self::Api { .. } | Self::Webhook { .. } | Self::Trigger { .. } => None,
        }
    }

    /// What servers are resolved to already.
    pub(super) fn inherited(&self) -> Option<&Bindings> {
        match self {
            Self::Parent { inherited, .. } => Some(inherited),
            Self::Api { .. } | Self::Webhook { .. } | Self::Trigger { .. } => None,
        }
    }

    /// The delivery that is kept with the run.
    pub(super) fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Webhook { receipt } => Some(receipt),
            Self::Api { .. } | Self::Trigger { .. } | Self::Parent { .. } => None,
        }
    }

    /// The entry of the audit trail that is kept with the run.
    pub(super) fn trace(&self) -> Option<&AuditRecord> {
        match self {
            Self::Api { trace } => trace.as_deref(),
            Self::Webhook { .. } | Self::Trigger { .. } | Self::Parent { .. } => None,
        }
    }
}
