//! How many of something there may be, so that no tenant takes what is there for all: the quotas of a deployment, with
//! their defaults, in one table. A deployment sets others with `QUOTAS` (`connections=500,workflows=2000`).
//!
//! Whoever has more than a quota when it is introduced or lowered keeps all of it and is refused new ones only.

use std::collections::BTreeMap;
use std::str::FromStr;

use strum::IntoEnumIterator;

/// What there is a quota for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum Quota {
    /// Runs that a run starts by `workflow_call`, its children's and theirs included.
    Descendants,
    /// Runs of a workspace that are not over.
    LiveRuns,
    /// Projects of a workspace that are not archived.
    Projects,
    /// Members of a workspace.
    Members,
    /// Workflows of a project that are not archived.
    Workflows,
    /// Triggers of a project, of all its workflows.
    Triggers,
    /// Connections of a project.
    Connections,
    /// MCP servers of a project.
    McpServers,
    /// Instances of MCP servers of a project.
    McpInstances,
    /// Profiles of an instance.
    McpProfiles,
    /// Subscriptions of inbound webhooks of a project.
    Webhooks,
}

impl Quota {
    /// What it is called where it is set.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// How many there may be where nothing else is set, what they are called, whose they are, and how one makes room.
    const fn row(self) -> (u64, &'static str, &'static str, &'static str) {
        const DELETE: &str = "delete one that is not needed any more";
        const ARCHIVE: &str = "archive one that is not needed any more";
        match self {
            Self::Descendants => (10_000, "runs below it", "run", "let it call fewer runs"),
            Self::LiveRuns => (20_000, "live runs", "workspace", "wait until some have ended, or stop some"),
            Self::Projects => (200, "projects", "workspace", ARCHIVE),
            Self::Members => (2_000, "members", "workspace", DELETE),
            Self::Workflows => (2_000, "workflows", "project", ARCHIVE),
            Self::Triggers => (2_000, "triggers", "project", DELETE),
            Self::Connections => (1_000, "connections", "project", DELETE),
            Self::McpServers => (250, "MCP servers", "project", DELETE),
            Self::McpInstances => (500, "instances of MCP servers", "project", DELETE),
            Self::McpProfiles => (100, "profiles", "instance", "change one that is not needed any more"),
            Self::Webhooks => (1_000, "webhook subscriptions", "project", DELETE),
        }
    }

    /// What there may be so many of.
    pub const fn things(self) -> &'static str {
        self.row().1
    }

    /// That it is met, and what to do about it.
    pub fn met(self, most: u64) -> String {
        let (_, things, whose, mend) = self.row();
        format!(
            "A {whose} has at most {most} {things}, and this one has them: {mend}, or have whoever operates this deployment \
             raise the quota {:?}.",
            self.name()
        )
    }
}

/// How many there may be in a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quotas(BTreeMap<Quota, u64>);

impl Quotas {
    /// How many there may be.
    pub fn get(&self, quota: Quota) -> u64 {
        self.0.get(&quota).copied().unwrap_or(quota.row().0)
    }

    /// With another one of these.
    #[must_use]
    pub fn with(mut self, quota: Quota, most: u64) -> Self {
        self.0.insert(quota, most);
        self
    }
}

impl FromStr for Quotas {
    type Err = String;

    /// `name=number`, with commas between.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut quotas = Self::default();
        for each in text.split(',').map(str::trim).filter(|each| !each.is_empty()) {
            let (name, number) =
                each.split_once('=').ok_or_else(|| format!("{each:?} is not name=number"))?;
            let quota = name.trim().parse().map_err(|_| {
                let known: Vec<&str> = Quota::iter().map(Quota::name).collect();
                format!("there is no quota {:?}; there are {}", name.trim(), known.join(", "))
            })?;
            let most = number.trim().parse().map_err(|_| format!("{each:?} is not name=number"))?;
            quotas = quotas.with(quota, most);
        }
        Ok(quotas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_the_defaults_but_for_those_set() {
        let quotas: Quotas = " connections=5, live_runs = 7,".parse().unwrap();
        let read = [Quota::Connections, Quota::LiveRuns, Quota::Descendants].map(|quota| quotas.get(quota));
        assert_eq!(read, [5, 7, 10_000]);
        assert_eq!(Ok(Quotas::default()), "".parse());
        for wrong in ["connections", "connections=many", "connections=-1", "connexions=5"] {
            assert!(wrong.parse::<Quotas>().is_err(), "{wrong}");
        }
        assert!(
            "connexions=5".parse::<Quotas>().unwrap_err().contains("connections"),
            "names those there are"
        );
    }

    #[test]
    fn each_quota_says_how_many_and_what_to_do() {
        for quota in Quota::iter() {
            let told = quota.met(3);
            assert!(
                told.contains('3') && told.contains(quota.name()) && told.contains(quota.things()),
                "{told}"
            );
        }
    }
}
