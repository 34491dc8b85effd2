//! Identifiers as types of their own, so that a run id can never stand where a workflow id belongs.
//! Tenants and projects are slugs (people choose them), everything else is a UUID.

pub mod seed;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Timestamp;

/// Why a text is not an id; the sentence can be shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "std::borrow::Cow<'_, str>", into = "Uuid")]
        pub struct $name(Uuid);

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<std::borrow::Cow<'_, str>> for $name {
            type Error = InvalidId;

            fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl $name {
            /// A new id whose order follows time (UUIDv7). Under an idempotency key it follows from the key: see
            /// [`seed`].
            pub fn new(now: Timestamp) -> Self {
                seed::next().map_or_else(|| Self::fresh(now), Self)
            }

            /// A new id that nobody has had, whatever is being carried out.
            pub fn fresh(now: Timestamp) -> Self {
                let (seconds, nanos) = now.unix_parts();
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the hyphenated form: the other spellings of a UUID would be other keys for one thing.
                let parsed = Uuid::try_parse(text).map_err(|_| InvalidId("must be a UUID"))?;
                if text.len() == 36 { Ok(Self(parsed)) } else { Err(InvalidId("must be a hyphenated UUID")) }
            }
        }
    };
}

macro_rules! slug_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The slug itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check_slug(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check_slug(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

slug_id!(
    /// A workspace: the slug chosen when it was created.
    TenantId
);
slug_id!(
    /// A project of a tenant.
    ProjectId
);
uuid_id!(
    /// A workflow.
    WorkflowId
);
uuid_id!(
    /// A run of a workflow; a client may choose its own.
    RunId
);
uuid_id!(
    /// A trigger of a workflow.
    TriggerId
);
uuid_id!(
    /// Somebody who has a role in a workspace.
    MemberId
);
uuid_id!(
    /// An entry of the audit trail.
    AuditId
);
uuid_id!(
    /// One value of a secret: a change of what it holds makes another version.
    SecretVersion
);
uuid_id!(
    /// A connection: credentials for a system outside.
    ConnectionId
);
uuid_id!(
    /// An MCP server that a project has registered.
    McpServerId
);
uuid_id!(
    /// An instance of an MCP server in a project.
    InstanceId
);
uuid_id!(
    /// A profile of an instance.
    ProfileId
);
uuid_id!(
    /// A subscription of an inbound webhook.
    SubscriptionId
);
uuid_id!(
    /// A project's key of a provider of models.
    LlmKeyId
);
uuid_id!(
    /// A personal access token's public part, which finds its row.
    PatId
);

impl RunId {
    /// The run that a trigger starts for a due time: always the same, so that whoever fires it, and however
    /// often, there is one run. The due time comes first, so that ids follow time as other runs' do (UUIDv8).
    pub fn of_trigger(trigger: TriggerId, due: Timestamp) -> Self {
        let millis = due.as_millis().to_be_bytes();
        let hash = Sha256::new().chain_update(trigger.0.as_bytes()).chain_update(millis).finalize();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6..].copy_from_slice(&hash[..10]);
        Self(Uuid::new_v8(bytes))
    }
}

impl AuditId {
    /// Before every entry at or after this time.
    pub fn first_of(time: Timestamp) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// The one entry of this time about something, whoever writes it.
    pub fn of_time(time: Timestamp, about: &[&str]) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        let mut hash = Sha256::new();
        for part in about {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let mut random = [0; 10];
        random.iter_mut().zip(hash.finalize()).for_each(|(to, byte)| *to = byte);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl SecretVersion {
    /// A new one, which follows from nothing: a request that is carried out again after a crash must not meet the
    /// secret that it put before.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl PatId {
    /// The id's 32 hexadecimal digits, as they stand in a token.
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }

    /// Reads the 32 hexadecimal digits of a token.
    pub fn from_hex(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

/// 1–63 of `a-z 0-9 -`, beginning and ending with a letter or digit: a DNS label, so that a slug can later
/// stand in a host name, and never contains `#`, which separates the parts of storage keys.
fn check_slug(text: &str) -> Result<(), InvalidId> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edge = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    let bytes = text.as_bytes();
    if bytes.len() <= 63 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(())
    } else {
        Err(InvalidId("must be 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"))
    }
}

/// Where something lives: every storage key of a tenant's things begins with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The workspace.
    pub tenant_id: TenantId,
    /// The project in it.
    pub project_id: ProjectId,
}

/// A run with its place: all that a message about it has to carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunRef {
    /// Tenant and project.
    #[serde(flatten)]
    pub place: Place,
    /// The run.
    pub run_id: RunId,
}

/// A trigger with its place: all that finds its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TriggerRef {
    /// Tenant and project.
    pub place: Place,
    /// The workflow it starts.
    pub workflow_id: WorkflowId,
    /// The trigger.
    pub trigger_id: TriggerId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triggers_run_is_told_by_the_trigger_and_the_due_time() {
        let at = Timestamp::from_millis;
        let (one, other) = (TriggerId::new(at(1)), TriggerId::new(at(2)));
        let id = RunId::of_trigger(one, at(1_790_000_000_000));
        assert_eq!(id, RunId::of_trigger(one, at(1_790_000_000_000)));
        assert_ne!(id, RunId::of_trigger(one, at(1_790_000_060_000)));
        assert_ne!(id, RunId::of_trigger(other, at(1_790_000_000_000)));
        assert!(id < RunId::of_trigger(one, at(1_790_000_060_000)), "ids follow due times");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(Uuid::from(id).get_version_num(), 8);
    }

    #[test]
    fn slugs_are_dns_labels() {
        let longest = "x".repeat(63);
        for good in ["a", "acme", "acme-2", "0", longest.as_str()] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        let too_long = "x".repeat(64);
        for bad in ["", "-a", "a-", "A", "a b", "a#b", "ä", "a_b", too_long.as_str()] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_hyphenated_spelling_of_a_uuid_is_an_id() {
        let id = RunId::new(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!(id.to_string().replace('-', "").parse::<RunId>().is_err());
        assert!(format!("{{{id}}}").parse::<RunId>().is_err());
    }
}
