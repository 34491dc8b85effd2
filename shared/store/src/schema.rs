//! The table's definition, for the stores that this project starts itself (the local process and tests). In an
//! AWS account `template.yaml` makes the table; a test compares the two.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::keys::{self, DEADLINE_PK, DEADLINE_SK, EXPIRES_AT, FEED_SK, PK, SK, TENANT_PK, WF_PK};
use super::{Store, StoreError};

/// What lists of runs show; it must stand in their indexes. Rows of an earlier form have `started_at` and `run_id`, too, and
/// an index is not changed, only made anew.
const LISTED: [&str; 10] = [
    "status",
    "workflow_id",
    "version",
    "started_at",
    "ended_at",
    "trigger_type",
    "failure_code",
    "project_id",
    "run_id",
    "external_user_id",
];

impl Store {
    /// Creates the table with its indexes, unless it is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let listed = || {
            let listed = LISTED.iter().map(ToString::to_string).collect();
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .set_non_key_attributes(Some(listed))
                .build()
        };
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let mut create =
            self.client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        for name in [PK, SK, WF_PK, TENANT_PK, FEED_SK, DEADLINE_PK, DEADLINE_SK] {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            create = create
                .attribute_definitions(built(attribute.attribute_type(ScalarAttributeType::S).build())?);
        }
        create = create.set_key_schema(Some(key_schema(PK, SK)?));
        for (name, pk, sk, projection) in [
            (keys::WORKFLOW_RUNS, WF_PK, FEED_SK, listed()),
            (keys::TENANT_RUNS, TENANT_PK, FEED_SK, listed()),
            (keys::DEADLINES, DEADLINE_PK, DEADLINE_SK, keys_only),
        ] {
            let index =
                GlobalSecondaryIndex::builder().index_name(name).set_key_schema(Some(key_schema(pk, sk)?));
            create = create.global_secondary_indexes(built(index.projection(projection).build())?);
        }
        match create.send().await {
            Ok(_) => self.enable_expiry().await,
            Err(error) if error.code() == Some("ResourceInUseException") => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn enable_expiry(&self) -> Result<(), StoreError> {
        let expiry = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true).build();
        let request = self.client.update_time_to_live().table_name(&self.table);
        request.time_to_live_specification(built(expiry)?).send().await?;
        Ok(())
    }
}

fn key_schema(pk: &str, sk: &str) -> Result<Vec<KeySchemaElement>, StoreError> {
    let element = |name, kind| built(KeySchemaElement::builder().attribute_name(name).key_type(kind).build());
    Ok(vec![element(pk, KeyType::Hash)?, element(sk, KeyType::Range)?])
}

fn built<T, E: Into<crate::Cause>>(result: Result<T, E>) -> Result<T, StoreError> {
    result.map_err(|error| StoreError::Corrupt(error.into()))
}
