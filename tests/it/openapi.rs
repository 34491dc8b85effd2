//! What is written down twice agrees: the OpenAPI document and the routes, the table in `template.yaml` and the one
//! that the code makes. (`template_test.py` holds the template's routes to the document.)

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_sdk_dynamodb::types::KeySchemaElement;
use it::TestApp;
use serde_json::Value;
use shared::types::clock::Clock;

use crate::routes::{Who, some_path, table};

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// `GET /v1/…` for every route of the document.
fn documented() -> BTreeSet<String> {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        routes.extend(
            methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    routes
}

#[test]
fn the_committed_document_is_what_the_code_says() {
    let generated = format!("{}\n", local::openapi().to_pretty_json().unwrap());
    let path = file("docs/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == generated,
        "docs/openapi.json is not what the code says; write it anew with\n  \
         UPDATE_OPENAPI=1 cargo test -p it --test it the_committed_document"
    );
}

#[tokio::test]
async fn the_service_shows_the_committed_document() {
    let app = TestApp::without_worker(Clock::System).await;
    let committed = std::fs::read(file("docs/openapi.json")).unwrap();
    let committed: Value = serde_json::from_slice(&committed).unwrap();
    assert_eq!(app.anyone.get("/openapi.json").await.expect(200), committed);
}

#[tokio::test]
async fn every_documented_route_is_served() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for route in documented() {
        let (method, path) = route.split_once(' ').unwrap();
        let path = some_path(path);
        let answer = acme.client.send(method, &path, "{}").await;
        assert!(
            answer.status != 405 && answer.body["code"] != "NO_SUCH_ROUTE",
            "{route}: {} {:#}",
            answer.status,
            answer.body
        );
    }
}

#[test]
fn every_operation_is_described_and_says_what_it_answers() {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{what}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{what}");
            let responses = operation["responses"].as_object().unwrap();
            let answers = |status: &String| status.starts_with('2') || status == "410";
            assert!(responses.keys().any(answers), "{what}");
            let name = format!("{} {path}", method.to_uppercase());
            let open = table().iter().any(|route| route.name == name && route.who == Who::Open);
            assert_eq!(responses.contains_key("401"), !open, "{what}");
            for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{what}: {name}");
            }
        }
    }
}

/// The template's table as lines of `attribute …`, `key …`, `index …`, in its order.
fn table_in_template() -> Vec<String> {
    let template = std::fs::read_to_string(file("template.yaml")).unwrap();
    let table = template.lines().skip_while(|line| *line != "  Table:").skip(1);
    let table = table.take_while(|line| line.is_empty() || line.starts_with("    "));
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!("{name}: ")).nth(1)?;
        Some(rest.split([',', ' ', '}']).next()?.to_owned())
    };
    let (mut facts, mut index, mut listing) = (Vec::new(), "table".to_owned(), false);
    for line in table.map(str::trim) {
        if let Some(name) = field(line, "IndexName") {
            index = name;
        } else if let (Some(name), Some(kind)) = (field(line, "AttributeName"), field(line, "AttributeType"))
        {
            facts.push(format!("attribute {name} {kind}"));
        } else if let (Some(name), Some(kind)) = (field(line, "AttributeName"), field(line, "KeyType")) {
            facts.push(format!("{index} key {name} {kind}"));
        } else if let Some(kind) = field(line, "ProjectionType") {
            facts.push(format!("{index} projects {kind}"));
        } else if line == "NonKeyAttributes:" {
            listing = true;
            continue;
        } else if let (Some(name), true) = (line.strip_prefix("- "), listing) {
            facts.push(format!("{index} projects {name}"));
            continue;
        } else if line.starts_with("TimeToLiveSpecification") {
            facts.push(format!("expires by {}", field(line, "AttributeName").unwrap()));
        } else if let Some(mode) = field(line, "BillingMode") {
            facts.push(format!("billing {mode}"));
        }
        listing = false;
    }
    facts.sort();
    facts
}

/// The table that `Store::create_table` makes, in the same words.
async fn table_of_the_code() -> Vec<String> {
    let app = TestApp::without_worker(Clock::System).await;
    let client = app.stores.dynamodb(&[]);
    let table = app.stores.description().await;
    let mut facts = Vec::new();
    let keys = |index: &str, keys: &[KeySchemaElement]| -> Vec<String> {
        let fact =
            |key: &KeySchemaElement| format!("{index} key {} {}", key.attribute_name(), key.key_type());
        keys.iter().map(fact).collect()
    };
    let attributes = table.attribute_definitions().iter();
    facts.extend(attributes.map(|a| format!("attribute {} {}", a.attribute_name(), a.attribute_type())));
    facts.extend(keys("table", table.key_schema()));
    for index in table.global_secondary_indexes() {
        let name = index.index_name().unwrap();
        facts.extend(keys(name, index.key_schema()));
        let projection = index.projection().unwrap();
        facts.push(format!("{name} projects {}", projection.projection_type().unwrap()));
        facts.extend(
            projection.non_key_attributes().iter().map(|attribute| format!("{name} projects {attribute}")),
        );
    }
    facts.push(format!("billing {}", table.billing_mode_summary().unwrap().billing_mode().unwrap()));
    let expiry = client.describe_time_to_live().table_name(app.stores.table()).send().await.unwrap();
    let expiry = expiry.time_to_live_description.unwrap();
    facts.push(format!("expires by {}", expiry.attribute_name().unwrap()));
    facts.sort();
    facts
}

#[tokio::test]
async fn the_template_makes_the_table_that_the_code_expects() {
    let expected = table_of_the_code().await;
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(table_in_template(), expected);
}
