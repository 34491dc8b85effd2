//! The behaviours of DynamoDB that the stores rely on, through the SDK, and those of this module: what
//! survives, what a repeated request does, what the end does.

use super::*;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, ConditionCheck, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, KeysAndAttributes, Projection, ProjectionType, Put, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure, ScalarAttributeType, TimeToLiveSpecification, TransactWriteItem,
    Update,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TABLE: &str = "main";

type Item = HashMap<String, AttributeValue>;

async fn memory() -> Client {
    let dynamo = EmbeddedDynamo::open(None).await.unwrap();
    let client = dynamo_client(&dynamo, []);
    create_table(&client).await;
    client
}

async fn create_table(client: &Client) {
    let attribute = |name| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap()
    };
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(["pk", "sk", "feed", "at"].map(attribute).to_vec()))
        .set_key_schema(Some(key_schema("pk", "sk")))
        .global_secondary_indexes(index(
            "keys",
            Projection::builder().projection_type(ProjectionType::KeysOnly).build(),
        ))
        .global_secondary_indexes(index(
            "include",
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .non_key_attributes("title")
                .build(),
        ))
        .send()
        .await
        .unwrap();
}

fn key_schema(hash: &str, range: &str) -> Vec<KeySchemaElement> {
    let element =
        |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    vec![element(hash, KeyType::Hash), element(range, KeyType::Range)]
}

fn index(name: &str, projection: Projection) -> GlobalSecondaryIndex {
    let index =
        GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(key_schema("feed", "at")));
    index.projection(projection).build().unwrap()
}

fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn n(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn key(pk: &str) -> Item {
    item([("pk", s(pk)), ("sk", s("-"))])
}

async fn put(client: &Client, item: Item) {
    client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

async fn get(client: &Client, pk: &str) -> Option<Item> {
    let request = client.get_item().table_name(TABLE).set_key(Some(key(pk))).consistent_read(true);
    request.send().await.unwrap().item
}

fn with<const N: usize>(mut base: Item, attributes: [(&str, AttributeValue); N]) -> Item {
    base.extend(item(attributes));
    base
}

#[tokio::test]
async fn a_conditional_put_creates_once_and_replaces_only_the_revision_it_read() {
    let client = memory().await;
    let create = || client.put_item().table_name(TABLE).condition_expression("attribute_not_exists(pk)");
    create().set_item(Some(with(key("a"), [("rev", n(1))]))).send().await.unwrap();
    let error = create().set_item(Some(key("a"))).send().await.unwrap_err().into_service_error();
    assert!(error.is_conditional_check_failed_exception());

    let replace = |expected| {
        client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(with(key("a"), [("rev", n(expected + 1))])))
            .condition_expression("rev = :n")
            .expression_attribute_values(":n", n(expected))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    };
    replace(1).send().await.unwrap();
    let error = replace(1).send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(error) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(error.item().unwrap()["rev"], n(2), "the item that was in the way");
}

#[tokio::test]
async fn an_update_returns_the_new_item_or_the_one_in_its_way() {
    let client = memory().await;
    put(&client, with(key("a"), [("rev", n(1)), ("state", s("running"))])).await;
    let update = || {
        client
            .update_item()
            .table_name(TABLE)
            .set_key(Some(key("a")))
            .update_expression("SET rev = rev + :one, #s = :s REMOVE gone")
            .condition_expression("rev = :n")
            .expression_attribute_names("#s", "state")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":s", s("done"))
            .expression_attribute_values(":n", n(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    };
    let new = update().send().await.unwrap().attributes.unwrap();
    assert_eq!(new, with(key("a"), [("rev", n(2)), ("state", s("done"))]));
    let error = update().send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(error) =
        error
    else {
        panic!("{error:?}");
    };
    assert_eq!(error.item().unwrap()["rev"], n(2));
}

fn transaction(pk: &str, expected: u64) -> Vec<TransactWriteItem> {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(key(pk)))
        .update_expression("SET rev = rev + :one")
        .condition_expression("rev = :n")
        .expression_attribute_values(":one", n(1))
        .expression_attribute_values(":n", n(expected))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    let put = Put::builder()
        .table_name(TABLE)
        .set_item(Some(key(&format!("{pk}/event/{expected}"))))
        .build()
        .unwrap();
    vec![TransactWriteItem::builder().put(put).build(), TransactWriteItem::builder().update(update).build()]
}

async fn transact(client: &Client, items: Vec<TransactWriteItem>) -> Result<(), aws_sdk_dynamodb::Error> {
    client.transact_write_items().set_transact_items(Some(items)).send().await.map(|_| ()).map_err(Into::into)
}

#[tokio::test]
async fn a_transaction_writes_all_or_nothing_and_says_which_condition_failed() {
    let client = memory().await;
    put(&client, with(key("a"), [("rev", n(1))])).await;
    transact(&client, transaction("a", 1)).await.unwrap();
    assert_eq!(get(&client, "a").await.unwrap()["rev"], n(2));
    assert!(get(&client, "a/event/1").await.is_some());

    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key("b")))
        .condition_expression("attribute_exists(pk)");
    let mut items = transaction("a", 7);
    items.push(TransactWriteItem::builder().condition_check(check.build().unwrap()).build());
    let error = transact(&client, items).await.unwrap_err();
    let aws_sdk_dynamodb::Error::TransactionCanceledException(error) = error else { panic!("{error:?}") };
    let reasons = error.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].item().unwrap()["rev"], n(2));
    assert!(get(&client, "a/event/7").await.is_none());
}

#[tokio::test]
async fn a_transaction_that_repeats_its_token_is_answered_and_not_run_again() {
    let client = memory().await;
    put(&client, with(key("a"), [("rev", n(1))])).await;
    let send = |expected| {
        let request = client.transact_write_items().set_transact_items(Some(transaction("a", expected)));
        request.client_request_token("0190c6a2-once").send()
    };
    send(1).await.unwrap();
    send(1).await.unwrap();
    assert_eq!(get(&client, "a").await.unwrap()["rev"], n(2));
    let error = send(2).await.unwrap_err().into_service_error();
    assert!(error.is_idempotent_parameter_mismatch_exception());
}

/// Loses the first answer on its way back.
#[derive(Debug, Default)]
struct LoseAnswer(AtomicU32);

#[dyn_dispatch_hint]
impl Intercept for LoseAnswer {
    fn name(&self) -> &'static str {
        "LoseAnswer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            *context.response_mut().status_mut() = 500.try_into()?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_sdk_repeats_a_transaction_whose_answer_was_lost_without_harm() {
    let dynamo = EmbeddedDynamo::open(None).await.unwrap();
    let client = dynamo_client(&dynamo, []);
    create_table(&client).await;
    put(&client, with(key("a"), [("rev", n(1))])).await;
    let fast = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let config = dynamo.sdk_config().retry_config(fast).interceptor(LoseAnswer::default());
    let lossy = Client::from_conf(config.build());
    transact(&lossy, transaction("a", 1)).await.unwrap();
    assert_eq!(get(&client, "a").await.unwrap()["rev"], n(2));
}

#[tokio::test]
async fn an_index_holds_what_has_its_keys_and_pages_in_both_directions() {
    let client = memory().await;
    for number in 0..5 {
        let attributes =
            [("feed", s("x")), ("at", s(&number.to_string())), ("title", s("t")), ("body", s("b"))];
        put(&client, with(key(&format!("run-{number}")), attributes)).await;
    }
    put(&client, with(key("unlisted"), [("feed", s("x")), ("title", s("t"))])).await;

    let page = |index: &str, forward, start| {
        let query = client.query().table_name(TABLE).index_name(index).key_condition_expression("feed = :f");
        let query = query.expression_attribute_values(":f", s("x")).scan_index_forward(forward);
        query.limit(2).set_exclusive_start_key(start).send()
    };
    let (mut seen, mut start) = (Vec::new(), None);
    loop {
        let answer = page("keys", false, start).await.unwrap();
        seen.extend(answer.items.unwrap().into_iter().map(|item| item["at"].as_s().unwrap().clone()));
        start = answer.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);

    let first = |items: Option<Vec<Item>>| {
        let mut names: Vec<_> = items.unwrap().remove(0).into_keys().collect();
        names.sort();
        names
    };
    assert_eq!(first(page("keys", true, None).await.unwrap().items), ["at", "feed", "pk", "sk"]);
    assert_eq!(first(page("include", true, None).await.unwrap().items), ["at", "feed", "pk", "sk", "title"]);

    let remove =
        client.update_item().table_name(TABLE).set_key(Some(key("run-0"))).update_expression("REMOVE feed");
    remove.send().await.unwrap();
    assert_eq!(page("keys", true, None).await.unwrap().items.unwrap()[0]["at"], s("1"));
}

#[tokio::test]
async fn a_batch_get_returns_what_exists() {
    let client = memory().await;
    put(&client, key("a")).await;
    put(&client, key("b")).await;
    let keys = ["a", "b", "c"].map(key).to_vec();
    let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().unwrap();
    let answer = client.batch_get_item().request_items(TABLE, wanted).send().await.unwrap();
    assert_eq!(answer.responses.unwrap()[TABLE].len(), 2);
    assert!(answer.unprocessed_keys.unwrap_or_default().is_empty());
}

#[tokio::test]
async fn an_item_holds_bytes_and_400_kb_at_most() {
    let client = memory().await;
    let bytes = AttributeValue::B(Blob::new((0..=255).collect::<Vec<u8>>()));
    put(&client, with(key("a"), [("bytes", bytes.clone())])).await;
    assert_eq!(get(&client, "a").await.unwrap()["bytes"], bytes);

    let large = |size| with(key("b"), [("bytes", AttributeValue::B(Blob::new(vec![0; size])))]);
    put(&client, large(409_000)).await;
    let error = client.put_item().table_name(TABLE).set_item(Some(large(410_000))).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    assert!(error.message().unwrap().contains("Item size has exceeded the maximum allowed size"));
}

#[tokio::test]
async fn a_request_tells_what_it_consumed() {
    let client = memory().await;
    let put = client.put_item().table_name(TABLE).return_consumed_capacity(ReturnConsumedCapacity::Indexes);
    let answer = put
        .set_item(Some(with(key("a"), [("feed", s("x")), ("at", s("1")), ("text", s(&"x".repeat(1500)))])));
    let capacity = answer.send().await.unwrap().consumed_capacity.unwrap();
    assert_eq!(capacity.capacity_units(), Some(4.0), "two for 1.5 KB, and one for each index");
    let get = client.get_item().table_name(TABLE).set_key(Some(key("a"))).consistent_read(true);
    let get = get.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    assert_eq!(get.consumed_capacity.unwrap().capacity_units(), Some(1.0));
}

#[tokio::test]
async fn refusals_have_the_names_that_dynamodb_gives_them() {
    let client = memory().await;
    let error = client.get_item().table_name("missing").set_key(Some(key("a"))).send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_not_found_exception());
    let error =
        client.put_item().table_name(TABLE).set_item(Some(item([("pk", s("a"))]))).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    let empty_set = with(key("a"), [("set", AttributeValue::Ss(Vec::new()))]);
    let error = client.put_item().table_name(TABLE).set_item(Some(empty_set)).send().await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    assert!(!error.message().unwrap().starts_with("VALIDATION"), "{error:?}");
    let error =
        client.create_table().table_name("no").set_key_schema(Some(key_schema("a", "b"))).send().await;
    assert_eq!(error.unwrap_err().code(), Some("ValidationException"));
    let error = client.list_backups().send().await.unwrap_err();
    assert_eq!(error.code(), Some("UnknownOperationException"));
}

#[tokio::test]
async fn a_sweep_deletes_what_has_expired() {
    let dynamo = EmbeddedDynamo::open(None).await.unwrap();
    let client = dynamo_client(&dynamo, []);
    create_table(&client).await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true).build().unwrap();
    client.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    put(&client, with(key("old"), [("ttl", n(now - 60))])).await;
    put(&client, with(key("new"), [("ttl", n(now + 600))])).await;
    assert_eq!(dynamo.sweep_ttl().await.unwrap(), 1);
    assert!(get(&client, "old").await.is_none());
    assert!(get(&client, "new").await.is_some());
}

/// A database in this file, with a table and a row in it.
async fn with_a_row(path: &std::path::Path) -> (EmbeddedDynamo, aws_sdk_dynamodb::Client) {
    let dynamo = EmbeddedDynamo::open(Some(path)).await.unwrap();
    let client = dynamo_client(&dynamo, []);
    create_table(&client).await;
    put(&client, key("a")).await;
    (dynamo, client)
}

#[tokio::test]
async fn an_acknowledged_write_is_in_the_file_before_anything_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dynamo.sqlite");
    let (_dynamo, _client) = with_a_row(&path).await;

    // What kill -9 would leave: the files as they are at this moment.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let survivor = EmbeddedDynamo::open(Some(&copy.path().join("dynamo.sqlite"))).await.unwrap();
    assert!(get(&dynamo_client(&survivor, []), "a").await.is_some());
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = dir.path().join("dynamo.sqlite");
    // What an earlier release has left.
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_dynamo, _) = with_a_row(&path).await;

    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "the log lies beside the database: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?} has the mode {mode:o}", file.file_name());
    }
}

#[tokio::test]
async fn shutdown_finishes_what_was_sent_closes_the_file_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dynamo.sqlite");
    let (dynamo, client) = with_a_row(&path).await;
    dynamo.clone().shutdown().await;

    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 1, "SQLite merges its log into the file when it closes");
    let error = client.get_item().table_name(TABLE).set_key(Some(key("a"))).send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(matches!(dynamo.sweep_ttl().await, Err(DynamoError::Closed)));

    let reopened = EmbeddedDynamo::open(Some(&path)).await.unwrap();
    assert!(get(&dynamo_client(&reopened, []), "a").await.is_some());
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such/dir/dynamo.sqlite");
    assert!(matches!(EmbeddedDynamo::open(Some(&missing)).await, Err(DynamoError::File { .. })));
}
