//! The last validation of each graph of a workflow, by the graph's hash: one row each, kept for a month.

use std::time::Duration;

use serde_json::Value;

use super::item::{self, BODY, b, n};
use super::keys::{self, EXPIRES_AT};
use super::{Store, StoreError, blob};
use types::clock::Timestamp;
use types::ids::{Place, WorkflowId};

/// How long a validation is kept.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl Store {
    /// Keeps what a validation of this graph answered, instead of what an earlier one did. Of an answer that is too
    /// large for a row the last issues are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_validation(
        &self,
        place: &Place,
        id: WorkflowId,
        graph_hash: &str,
        answer: &Value,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut row = keys::validation(place, id, graph_hash).into_map();
        row.insert(BODY.to_owned(), b(fitting(answer, blob::LARGEST_CHUNK)?));
        row.insert(EXPIRES_AT.to_owned(), n(now.plus(KEPT_FOR).as_seconds()));
        self.put(row).await
    }

    /// What the last validation of this graph answered.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn validation(
        &self,
        place: &Place,
        id: WorkflowId,
        graph_hash: &str,
        now: Timestamp,
    ) -> Result<Option<Value>, StoreError> {
        let row = self.get(keys::validation(place, id, graph_hash)).await?;
        // Rows are removed some time after they have expired.
        let is_kept = |row: &item::Item| {
            item::number(row, EXPIRES_AT)
                .map(|until| i64::try_from(until).is_ok_and(|until| until > now.as_seconds()))
        };
        match row {
            Some(row) if is_kept(&row)? => blob::decode(item::bytes(&row, BODY)?).map(Some),
            _ => Ok(None),
        }
    }
}

/// The answer's bytes, at most so many; issues are left out until they are.
fn fitting(answer: &Value, most: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = blob::encode(answer)?;
    let mut shorter = answer.clone();
    while bytes.len() > most {
        let mut left = 0;
        for list in ["issues", "blockers"] {
            if let Some(issues) = shorter[list].as_array_mut() {
                issues.truncate(issues.len() / 2);
                left += issues.len();
            }
        }
        shorter["issues_truncated"] = Value::Bool(true);
        bytes = blob::encode(&shorter)?;
        if left == 0 && bytes.len() > most {
            return Err(StoreError::Corrupt(
                "a validation without issues that is too large for a row".into(),
            ));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_large_answer_the_first_issues_are_kept() {
        let issue = |number: usize| json!({ "code": "c", "message": format!("{number:x}").repeat(100) });
        let issues: Vec<Value> = (0..2000).map(issue).collect();
        let answer = json!({ "valid": false, "issues": issues, "blockers": issues[..100] });
        let whole: Value = blob::decode(&fitting(&answer, 1024 * 1024).unwrap()).unwrap();
        assert_eq!(whole, answer);
        let bytes = fitting(&answer, 4000).unwrap();
        assert!(bytes.len() <= 4000);
        let shorter: Value = blob::decode(&bytes).unwrap();
        let kept = shorter["issues"].as_array().unwrap();
        assert!(!kept.is_empty() && kept.len() < 2000 && kept[..] == issues[..kept.len()]);
        assert_eq!((&shorter["issues_truncated"], &shorter["valid"]), (&json!(true), &json!(false)));
    }
}
