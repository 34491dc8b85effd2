//! Every partition key, sort key and attribute name of the table, in one place. Tenant and project begin each
//! key of a tenant's things; `docs/access-patterns.md` says which query uses which.

mod deadlines;
mod ledger;
mod plans;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::StoreError;
use crate::delivery::Outcome;
use engine::Slot;
use engine::analytics::Granularity;
use platform::secrets::SecretRef;
use types::clock::Timestamp;
use types::ids::{
    AuditId, ConnectionId, InstanceId, LlmKeyId, McpServerId, MemberId, PatId, Place, ProfileId, ProjectId,
    RunId, RunRef, SubscriptionId, TenantId, TriggerRef, WorkflowId,
};
use types::quotas::Quota;

pub use deadlines::DEADLINE_SHARDS;
pub(crate) use deadlines::*;
pub(crate) use ledger::*;
pub(crate) use plans::*;

/// Partition key.
pub(crate) const PK: &str = "pk";
/// Sort key.
pub(crate) const SK: &str = "sk";
/// DynamoDB's TTL attribute, in seconds since the epoch.
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// The index behind a workflow's list of runs.
pub(crate) const WORKFLOW_RUNS: &str = "workflow_runs";
/// Its partition key.
pub(crate) const WF_PK: &str = "wf_pk";
/// The index behind the tenant's feed of runs.
pub(crate) const TENANT_RUNS: &str = "tenant_runs";
/// Its partition key.
pub(crate) const TENANT_PK: &str = "tenant_pk";
/// The sort key of both lists: start time, then run id.
pub(crate) const FEED_SK: &str = "feed_sk";
/// The sparse index of what has to be done at a time: runs that somebody must look at again, triggers that fire.
pub(crate) const DEADLINES: &str = "deadlines";
/// Its partition key: a shard.
pub(crate) const DEADLINE_PK: &str = "deadline_pk";
/// Its sort key: the time, then the run or trigger.
pub(crate) const DEADLINE_SK: &str = "deadline_sk";

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn into_map(self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk)),
            (SK.to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}

fn place(place: &Place) -> String {
    format!("T#{}#P#{}", place.tenant_id, place.project_id)
}

/// The tenant's own row.
pub(crate) fn tenant(id: &TenantId) -> Key {
    Key { pk: format!("T#{id}"), sk: "TENANT".to_owned() }
}

/// A project's row, beside its tenant's.
pub(crate) fn project(tenant: &TenantId, id: &ProjectId) -> Key {
    Key { pk: format!("T#{tenant}"), sk: format!("{PROJECT}{id}") }
}

/// A token's row. A key without a tenant: the token is what tells the tenant.
pub(crate) fn pat(id: PatId) -> Key {
    Key { pk: format!("PAT#{id}"), sk: "PAT".to_owned() }
}

/// Before each project's row.
pub(crate) const PROJECT: &str = "PROJECT#";

/// The partition of a tenant's members.
pub(crate) fn members(tenant: &TenantId) -> String {
    format!("T#{tenant}#MEMBERS")
}

/// A member's row.
pub(crate) fn member(tenant: &TenantId, id: MemberId) -> Key {
    Key { pk: members(tenant), sk: id.to_string() }
}

/// The partition of a project's tokens, in the index of the tenant's feed.
pub(crate) fn pats_of(p: &Place) -> String {
    format!("{}#PATS", place(p))
}

/// A token's place in its project's list.
pub(crate) fn pat_position(created_at: Timestamp, id: PatId) -> String {
    format!("{created_at}#{id}")
}

/// The partition of a project's audit trail.
pub(crate) fn trail(p: &Place) -> String {
    format!("{}#AUDIT", place(p))
}

/// An entry of it.
pub(crate) fn trace(p: &Place, id: AuditId) -> Key {
    Key { pk: trail(p), sk: id.to_string() }
}

/// The row of a request under an idempotency key. Operators stand outside all tenants.
pub(crate) fn answer(of: Option<&Place>, name: &str) -> Key {
    let owner = of.map_or_else(|| "OPERATOR".to_owned(), place);
    Key { pk: format!("{owner}#REQUEST#{name}"), sk: "REQUEST".to_owned() }
}

/// Before the rows of an answer that is too large for it, by who carried the request out.
pub(crate) fn answer_chunks(owner: &str) -> String {
    format!("ANSWER#{owner}")
}

/// The partition with one small row per workflow of a project, in order of creation.
pub(crate) fn workflows_of(p: &Place) -> String {
    format!("{}#WORKFLOWS", place(p))
}

/// A workflow's small row: name, status, latest version.
pub(crate) fn workflow(p: &Place, id: WorkflowId) -> Key {
    Key { pk: workflows_of(p), sk: id.to_string() }
}

/// The partition with the workflows of a project that are offered as tools, by the tool's name.
pub(crate) fn workflow_tools_of(p: &Place) -> String {
    format!("{}#WORKFLOW-TOOLS", place(p))
}

/// A tool's row, which keeps its name for its workflow.
pub(crate) fn workflow_tool(p: &Place, name: &str) -> Key {
    Key { pk: workflow_tools_of(p), sk: name.to_owned() }
}

/// The partition with a workflow's draft and versions.
pub(crate) fn workflow_graphs(p: &Place, id: WorkflowId) -> String {
    format!("{}#WF#{id}", place(p))
}

/// Before each row of one saved draft.
pub(crate) fn draft(revision: u64) -> String {
    format!("DRAFT#{revision:010}")
}

/// Before each version's row.
pub(crate) const VERSION: &str = "V#";

/// A version's row.
pub(crate) fn version(number: u32) -> String {
    format!("{VERSION}{number:010}")
}

/// Before the rows with a version's graph; apart from `VERSION`, so that listing versions reads no graph.
pub(crate) fn version_graph(number: u32) -> String {
    format!("G#{number:010}")
}

/// The last validation of a graph, by its hash, in the partition of its workflow's draft and versions.
pub(crate) fn validation(p: &Place, id: WorkflowId, graph_hash: &str) -> Key {
    Key { pk: workflow_graphs(p, id), sk: format!("VALIDATION#{graph_hash}") }
}

/// Before each trigger's row, in the partition of its workflow's draft and versions.
pub(crate) const TRIGGER: &str = "TRIGGER#";

/// A trigger's row.
pub(crate) fn trigger(key: &TriggerRef) -> Key {
    Key { pk: workflow_graphs(&key.place, key.workflow_id), sk: format!("{TRIGGER}{}", key.trigger_id) }
}

/// The row that counts a workflow's triggers.
pub(crate) fn trigger_count(p: &Place, id: WorkflowId) -> Key {
    Key { pk: workflow_graphs(p, id), sk: "TRIGGERS".to_owned() }
}

/// The partition with a project's connections, in order of creation.
pub(crate) fn connections_of(p: &Place) -> String {
    format!("{}#CONNECTIONS", place(p))
}

/// A connection's row.
pub(crate) fn connection(p: &Place, id: ConnectionId) -> Key {
    Key { pk: connections_of(p), sk: id.to_string() }
}

/// The partition of who uses a project's connections: connection, then user.
pub(crate) fn connection_users(p: &Place) -> String {
    format!("{}#CONNECTION-USERS", place(p))
}

/// The row that tells where a subscription is: a sender names its id and nothing else.
pub(crate) fn subscription_place(id: SubscriptionId) -> Key {
    Key { pk: format!("WEBHOOK#{id}"), sk: "WEBHOOK".to_owned() }
}

/// The partition with a project's subscriptions, in order of creation.
pub(crate) fn subscriptions_of(p: &Place) -> String {
    format!("{}#WEBHOOKS", place(p))
}

/// A subscription's row.
pub(crate) fn subscription(p: &Place, id: SubscriptionId) -> Key {
    Key { pk: subscriptions_of(p), sk: id.to_string() }
}

/// The partition with what was delivered to a subscription.
pub(crate) fn deliveries_of(p: &Place, id: SubscriptionId) -> String {
    format!("{}#WEBHOOK#{id}", place(p))
}

/// Before each entry of the deliveries log.
pub(crate) const DELIVERY: &str = "DELIVERY#";

/// A delivery that started a run, or that was known already.
pub(crate) fn delivery(p: &Place, id: SubscriptionId, at: Timestamp, outcome: Outcome, run: RunId) -> Key {
    Key { pk: deliveries_of(p, id), sk: format!("{DELIVERY}{at}#{}#{run}", outcome.as_str()) }
}

/// The refusals of a minute.
pub(crate) fn refusals(p: &Place, id: SubscriptionId, minute: Timestamp) -> Key {
    Key { pk: deliveries_of(p, id), sk: format!("{DELIVERY}{minute}#{}", Outcome::Refused.as_str()) }
}

/// A key under which a delivery is known.
pub(crate) fn seen(p: &Place, id: SubscriptionId, key: &str) -> Key {
    Key { pk: deliveries_of(p, id), sk: format!("SEEN#{key}") }
}

/// The partition with a project's MCP servers, in order of creation.
pub(crate) fn mcp_servers_of(p: &Place) -> String {
    format!("{}#MCP-SERVERS", place(p))
}

/// An MCP server's row.
pub(crate) fn mcp_server(p: &Place, id: McpServerId) -> Key {
    Key { pk: mcp_servers_of(p), sk: id.to_string() }
}

/// The row that keeps a server's slug for it.
pub(crate) fn mcp_slug(p: &Place, service: &str) -> Key {
    Key { pk: format!("{}#MCP-SLUGS", place(p)), sk: service.to_owned() }
}

/// The partition with what is large of a server: its versions' rows and tools.
pub(crate) fn mcp_server_rows(p: &Place, id: McpServerId) -> String {
    format!("{}#MCP#{id}", place(p))
}

/// Before the rows of the tools that were discovered last.
pub(crate) const DISCOVERED: &str = "DISCOVERED";

/// The partition with what the active versions of all servers have, by server.
pub(crate) fn mcp_tools_of(p: &Place) -> String {
    format!("{}#MCP-TOOLS", place(p))
}

/// The partition with a project's instances, in order of creation.
pub(crate) fn instances_of(p: &Place) -> String {
    format!("{}#INSTANCES", place(p))
}

/// An instance's row.
pub(crate) fn instance(p: &Place, id: InstanceId) -> Key {
    Key { pk: instances_of(p), sk: id.to_string() }
}

/// The partition with an instance's profiles, in order of creation.
pub(crate) fn profiles_of(p: &Place, id: InstanceId) -> String {
    format!("{}#INSTANCE#{id}", place(p))
}

/// A profile's row.
pub(crate) fn profile(p: &Place, instance: InstanceId, id: ProfileId) -> Key {
    Key { pk: profiles_of(p, instance), sk: id.to_string() }
}

/// The connections that a workflow uses instead of what profiles say, beside its versions.
pub(crate) fn overrides(p: &Place, id: WorkflowId) -> Key {
    Key { pk: workflow_graphs(p, id), sk: "OVERRIDES".to_owned() }
}

/// The row of a secret that nothing owns: one that was put and is not referred to yet, or no longer.
pub(crate) fn unowned_secret(secret: &SecretRef) -> Key {
    let SecretRef { place: p, kind, owner, version } = secret;
    Key { pk: format!("{}#SECRETS", place(p)), sk: format!("{kind}#{owner}#{version}") }
}

/// The partition with a project's keys of model providers, in order of creation.
pub(crate) fn llm_keys_of(p: &Place) -> String {
    format!("{}#LLM_KEYS", place(p))
}

/// Before each of these keys' rows.
pub(crate) const LLM_KEY: &str = "KEY#";

/// A key of a model provider.
pub(crate) fn llm_key(p: &Place, id: LlmKeyId) -> Key {
    Key { pk: llm_keys_of(p), sk: format!("{LLM_KEY}{id}") }
}

/// The row that counts them.
pub(crate) fn llm_key_count(p: &Place) -> Key {
    Key { pk: llm_keys_of(p), sk: "COUNT".to_owned() }
}

/// A run's partition.
pub(crate) fn run_partition(run: &RunRef) -> String {
    format!("{}#RUN#{}", place(&run.place), run.run_id)
}

/// The project of a run, by its partition.
pub(crate) fn project_of_run(partition: &str) -> Result<ProjectId, StoreError> {
    let project = partition.split('#').nth(3).and_then(|project| project.parse().ok());
    project.ok_or_else(|| StoreError::Corrupt(format!("{partition:?} is no partition of a run").into()))
}

/// A run's row.
pub(crate) fn run(run: &RunRef) -> Key {
    Key { pk: run_partition(run), sk: "RUN".to_owned() }
}

/// The row that counts a run's descendants, those that it has started since this retry of it.
pub(crate) fn descendants(root: &RunRef, retry: u32) -> Key {
    Key { pk: run_partition(root), sk: format!("DESCENDANTS#{retry}") }
}

/// What keeps two that are made at the same moment from taking the last place under a project's quota.
pub(crate) fn quota(p: &Place, quota: Quota) -> Key {
    Key { pk: format!("{}#QUOTAS", place(p)), sk: quota.name().to_owned() }
}

/// The same for a quota of a tenant's.
pub(crate) fn quota_of_tenant(tenant: &TenantId, quota: Quota) -> Key {
    Key { pk: format!("T#{tenant}#QUOTAS"), sk: quota.name().to_owned() }
}

/// Before each open human task of a run.
pub(crate) const TASK: &str = "TASK#";

/// An open human task, in its run's partition.
pub(crate) fn task(run: &RunRef, slot: Slot) -> Key {
    Key { pk: run_partition(run), sk: format!("{TASK}{slot}") }
}

/// Before the rows of an input that is too large for the run's row.
pub(crate) const INPUT: &str = "INPUT";

/// The input of a run as a retry of it left it.
pub(crate) fn retried_input(retry: u32) -> String {
    format!("{INPUT}.{retry}")
}

/// Before the rows of each closed page of history.
pub(crate) const PAGE: &str = "PAGE#";

/// Before the rows of one page.
pub(crate) fn page(first_seq: u64) -> String {
    format!("{PAGE}{first_seq:012}")
}

/// One of the rows that a large value is spread over.
pub(crate) fn chunk(prefix: &str, number: usize) -> String {
    format!("{prefix}#{number:03}")
}

/// The partition of a workflow's list of runs.
pub(crate) fn workflow_feed(p: &Place, id: WorkflowId) -> String {
    format!("{}#WF#{id}#RUNS", place(p))
}

/// The partition of a tenant's feed of runs.
pub(crate) fn tenant_feed(id: &TenantId) -> String {
    format!("T#{id}#RUNS")
}

/// The partition of a tenant's open human tasks, in the index of the tenant's feed.
pub(crate) fn inbox(id: &TenantId) -> String {
    format!("T#{id}#TASKS")
}

/// The place in the inbox.
pub(crate) fn inbox_position(created_at: Timestamp, run: &RunRef, slot: Slot) -> String {
    format!("{created_at}#{}#{slot}", run.run_id)
}

/// The place in both lists.
pub(crate) fn feed_position(started_at: Timestamp, id: RunId) -> String {
    format!("{started_at}#{id}")
}

/// What a place in the lists says: when a run started, and its id.
pub(crate) fn at_feed_position(position: &str) -> Result<(&str, &str), StoreError> {
    position
        .split_once('#')
        .ok_or_else(|| StoreError::Corrupt(format!("{position:?} is no place in a list of runs").into()))
}

/// What the partition of a project's counters ends in.
pub(crate) fn counters_of(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Hour => "HOURS",
        Granularity::Day => "DAYS",
    }
}

/// The partition of a project's counters by hour or by day.
pub(crate) fn counters_partition(p: &Place, granularity: Granularity) -> String {
    format!("{}#{}", place(p), counters_of(granularity))
}

/// A row of counters of an hour or a day.
pub(crate) fn counters(p: &Place, granularity: Granularity, bucket: Timestamp, spread: u8) -> Key {
    Key { pk: counters_partition(p, granularity), sk: format!("{}#{spread:02}", granularity.name(bucket)) }
}

/// A row that counts a project's live runs.
pub(crate) fn live_runs(p: &Place, spread: u8) -> Key {
    Key { pk: format!("{}#LIVE", place(p)), sk: format!("{spread:02}") }
}

#[cfg(test)]
mod tests;
