//! Tools whose answers hold secrets, and those that take such secrets back: absent unless the deployment enables the
//! `risk` group.

use shared::api::{CanManagePats, CanWriteWebhooks};

use super::{Definition, Effect};

/// The tools.
pub const DEFINITIONS: &[Definition] = &[
    Definition {
        effect: Effect::ADDS,
        allows: CanManagePats::allows,
        ..Definition::posts(
            "pats_create",
            "Create an access token",
            "/v1/pats",
            "Creates an access token of this project and answers with it, this once. Give it the fewest scopes and an \
             end. Whoever reads the answer can use the token.",
        )
    },
    Definition {
        allows: CanWriteWebhooks::allows,
        ..Definition::posts(
            "inbound_webhooks_create",
            "Create an inbound webhook",
            "/v1/inbound-webhooks",
            "Creates an address at which another system starts runs of a workflow, and answers with its signing secret, \
         this once. Whoever reads the answer can sign requests.",
        )
    },
    Definition {
        id: "subscription_id",
        effect: Effect::REPLACES,
        allows: CanWriteWebhooks::allows,
        ..Definition::posts(
            "inbound_webhooks_rotate_secret",
            "Rotate a webhook's secret",
            "/v1/inbound-webhooks/{id}/rotate-secret",
            "Gives an inbound webhook a new signing secret and answers with it, this once; the old one stays valid for \
             grace_s seconds.",
        )
    },
];
