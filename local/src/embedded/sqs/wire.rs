//! SQS's JSON protocol over the queues: each request parsed, checked against the service's limits, run and
//! answered in the service's own shapes, errors included.

use super::super::connector::{Answer, Closed, JsonService};
use super::error::SqsError;
use super::queue::{Message, Now, Settings};
use super::server::{self, Channel, Receive, Server};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

const TARGET_PREFIX: &str = "AmazonSQS.";
const MAX_BODY: usize = 1024 * 1024;
const MAX_BATCH: usize = 10;
const MAX_DELAY: u64 = 900;
const MAX_VISIBILITY_TIMEOUT: u64 = 43_200;
const MAX_WAIT: u64 = 20;

/// The JSON protocol over all queues.
#[derive(Debug, Default)]
pub(super) struct Service {
    server: Server,
}

fn refused(code: &'static str, message: impl Into<String>) -> SqsError {
    SqsError::Refused { code, message: message.into() }
}

fn invalid(message: impl Into<String>) -> SqsError {
    refused("InvalidParameterValue", message)
}

type Output = Result<Value, SqsError>;

impl JsonService for Service {
    async fn answer(&self, target: &str, body: &[u8]) -> Result<Answer, Closed> {
        let output = match target.strip_prefix(TARGET_PREFIX).unwrap_or_default() {
            "SendMessage" => self.send(body),
            "SendMessageBatch" => self.send_batch(body),
            "ReceiveMessage" => self.receive(body).await,
            "DeleteMessage" => self.delete(body),
            "DeleteMessageBatch" => self.delete_batch(body),
            "ChangeMessageVisibility" => self.change_visibility(body),
            "ChangeMessageVisibilityBatch" => self.change_visibility_batch(body),
            "CreateQueue" => self.create_queue(body),
            "GetQueueUrl" => self.queue_url(body),
            "GetQueueAttributes" => self.queue_attributes(body),
            "PurgeQueue" => self.purge(body),
            other => Err(refused("AWS.SimpleQueueService.UnsupportedOperation", other)),
        };
        match output {
            Ok(output) => Ok(Answer::new(200, output.to_string())),
            Err(SqsError::Closed) => Err(Closed),
            Err(SqsError::Refused { code, message }) => {
                let body = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": message });
                let mut answer = Answer::new(400, body.to_string());
                answer.query_error = Some(format!("{code};Sender"));
                Ok(answer)
            }
        }
    }
}

/// Names a queue; the whole of some requests.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueRequest {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<T> {
    queue_url: String,
    entries: Vec<T>,
}

/// A request to send, on its own or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    /// In a batch only.
    #[serde(default)]
    id: String,
    message_body: String,
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Value>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Value>,
}

/// A request about a received message, on its own or in a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    /// In a batch only.
    #[serde(default)]
    id: String,
    receipt_handle: String,
    /// To change the visibility only.
    visibility_timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveRequest {
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameRequest {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

impl Service {
    /// Creates a queue and returns its URL. A queue of this name that exists stays as it is.
    ///
    /// # Errors
    ///
    /// When the name or an attribute is refused, or after [`Service::close`].
    pub(super) fn create(
        &self,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<String, SqsError> {
        let letters = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        if name.is_empty() || name.len() > 80 || !letters {
            return Err(invalid("A queue name has 1 to 80 letters, digits, hyphens and underscores."));
        }
        let queue = self.server.create(name, settings(attributes)?)?;
        Ok(server::url(&queue.name))
    }

    /// Drops all queues and wakes those who wait for their messages.
    pub(super) fn close(&self) {
        self.server.close();
    }

    fn queue(&self, body: &[u8]) -> Result<Arc<Channel>, SqsError> {
        self.queue_at(&parse::<QueueRequest>(body)?.queue_url)
    }

    fn queue_at(&self, url: &str) -> Result<Arc<Channel>, SqsError> {
        self.named(url.rsplit('/').next().unwrap_or_default())
    }

    fn named(&self, name: &str) -> Result<Arc<Channel>, SqsError> {
        let missing =
            || refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
        self.server.find(name)?.ok_or_else(missing)
    }

    fn send(&self, body: &[u8]) -> Output {
        let queue = self.queue(body)?;
        let id = send(&queue, parse(body)?)?;
        Ok(json!({ "MessageId": id }))
    }

    fn send_batch(&self, body: &[u8]) -> Output {
        self.batch(
            body,
            |entry: &Send| &entry.id,
            |queue, entry| send(queue, entry).map(|id| json!({ "MessageId": id, "MD5OfMessageBody": "" })),
        )
    }

    async fn receive(&self, body: &[u8]) -> Output {
        let queue = self.queue(body)?;
        let request: ReceiveRequest = parse(body)?;
        let max = request.max_number_of_messages.unwrap_or(1);
        if !(1..=MAX_BATCH).contains(&max) {
            return Err(invalid("MaxNumberOfMessages must be between 1 and 10."));
        }
        let settings = &queue.settings;
        let visibility_timeout =
            seconds(request.visibility_timeout, MAX_VISIBILITY_TIMEOUT, "VisibilityTimeout")?;
        let wait = seconds(request.wait_time_seconds, MAX_WAIT, "WaitTimeSeconds")?;
        let dead_letters = match &settings.redrive {
            Some((name, max)) => self.server.find(name)?.map(|queue| (queue, *max)),
            None => None,
        };
        let messages = queue
            .receive(Receive {
                max,
                visibility_timeout: visibility_timeout.unwrap_or(settings.visibility_timeout),
                wait: wait.unwrap_or(settings.wait),
                dead_letters,
            })
            .await;
        if messages.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<_> = messages.into_iter().map(|message| delivery(message, &request)).collect();
        Ok(json!({ "Messages": messages }))
    }

    fn delete(&self, body: &[u8]) -> Output {
        let queue = self.queue(body)?;
        delete(&queue, &parse(body)?)
    }

    fn delete_batch(&self, body: &[u8]) -> Output {
        self.batch(body, |entry: &Received| &entry.id, |queue, entry| delete(queue, &entry))
    }

    fn change_visibility(&self, body: &[u8]) -> Output {
        let queue = self.queue(body)?;
        change_visibility(&queue, &parse(body)?)
    }

    fn change_visibility_batch(&self, body: &[u8]) -> Output {
        self.batch(body, |entry: &Received| &entry.id, |queue, entry| change_visibility(queue, &entry))
    }

    /// Runs `each` entry of a batch by itself: a refused one does not stop the others.
    fn batch<T: DeserializeOwned>(
        &self,
        body: &[u8],
        id: impl Fn(&T) -> &String,
        each: impl Fn(&Channel, T) -> Output,
    ) -> Output {
        let Batch { queue_url, entries } = parse::<Batch<T>>(body)?;
        let queue = self.queue_at(&queue_url)?;
        if entries.is_empty() {
            return Err(refused("AWS.SimpleQueueService.EmptyBatchRequest", "There are no entries."));
        }
        if entries.len() > MAX_BATCH {
            let message = "A batch has ten entries at most.";
            return Err(refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", message));
        }
        if entries.iter().map(&id).collect::<HashSet<_>>().len() < entries.len() {
            let message = "Two entries have the same Id.";
            return Err(refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", message));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = id(&entry).clone();
            match each(&queue, entry) {
                Ok(mut output) => {
                    output["Id"] = id.into();
                    successful.push(output);
                }
                Err(SqsError::Refused { code, message }) => {
                    failed.push(json!({ "Id": id, "Code": code, "Message": message, "SenderFault": true }));
                }
                Err(SqsError::Closed) => return Err(SqsError::Closed),
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }

    fn create_queue(&self, body: &[u8]) -> Output {
        let NameRequest { queue_name, attributes } = parse(body)?;
        let url = self.create(&queue_name, attributes.clone())?;
        let existing = self.named(&queue_name)?;
        if attributes.iter().any(|(name, value)| existing.settings.attributes.get(name) != Some(value)) {
            return Err(refused("QueueAlreadyExists", "A queue of this name has other attributes."));
        }
        Ok(json!({ "QueueUrl": url }))
    }

    fn queue_url(&self, body: &[u8]) -> Output {
        let queue = self.named(&parse::<NameRequest>(body)?.queue_name)?;
        Ok(json!({ "QueueUrl": server::url(&queue.name) }))
    }

    /// Answers with all attributes, whichever were asked for.
    fn queue_attributes(&self, body: &[u8]) -> Output {
        let queue = self.queue(body)?;
        let counts = queue.update(|queue| {
            queue.release(Now::read().instant);
            queue.counts()
        });
        let mut attributes = queue.settings.attributes.clone();
        attributes.insert("QueueArn".to_owned(), server::arn(&queue.name));
        attributes.insert("ApproximateNumberOfMessages".to_owned(), counts.ready.to_string());
        attributes.insert("ApproximateNumberOfMessagesNotVisible".to_owned(), counts.in_flight.to_string());
        attributes.insert("ApproximateNumberOfMessagesDelayed".to_owned(), counts.delayed.to_string());
        Ok(json!({ "Attributes": attributes }))
    }

    fn purge(&self, body: &[u8]) -> Output {
        self.queue(body)?.update(super::queue::Queue::purge);
        Ok(json!({}))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))
}

fn seconds(value: Option<u64>, max: u64, name: &str) -> Result<Option<Duration>, SqsError> {
    match value {
        Some(value) if value > max => Err(invalid(format!("{name} must be between 0 and {max} seconds."))),
        value => Ok(value.map(Duration::from_secs)),
    }
}

/// Returns the message's id.
fn send(queue: &Channel, request: Send) -> Result<String, SqsError> {
    if request.message_body.is_empty() || request.message_body.len() > MAX_BODY {
        return Err(invalid(format!("A message has 1 to {MAX_BODY} bytes.")));
    }
    let delay = seconds(request.delay_seconds, MAX_DELAY, "DelaySeconds")?.unwrap_or(queue.settings.delay);
    let now = Now::read();
    let mut message = Message::new(request.message_body, request.message_attributes, now);
    message.trace = request
        .message_system_attributes
        .get("AWSTraceHeader")
        .and_then(|value| value["StringValue"].as_str())
        .map(str::to_owned);
    let id = message.id.to_string();
    queue.update(|queue| queue.send(message, delay, now));
    Ok(id)
}

fn delete(queue: &Channel, request: &Received) -> Output {
    queue.update(|queue| queue.delete(&request.receipt_handle));
    Ok(json!({}))
}

fn change_visibility(queue: &Channel, request: &Received) -> Output {
    let timeout = seconds(request.visibility_timeout, MAX_VISIBILITY_TIMEOUT, "VisibilityTimeout")?
        .ok_or_else(|| refused("MissingParameter", "VisibilityTimeout is missing."))?;
    queue
        .update(|queue| queue.change_visibility(&request.receipt_handle, timeout, Now::read()))
        .map_err(|_| refused("AWS.SimpleQueueService.MessageNotInflight", "The message is not in flight."))?;
    Ok(json!({}))
}

fn delivery(message: Message, request: &ReceiveRequest) -> Value {
    let wanted = |name: &str| {
        let names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
        names.into_iter().any(|wanted| wanted == "All" || wanted == name)
    };
    let receipt_handle = message.receipt_handle();
    let source = message.dead_letter_source.as_deref().map(server::arn);
    let values = [
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("SentTimestamp", Some(message.sent_millis.to_string())),
        ("ApproximateFirstReceiveTimestamp", message.first_received_millis.map(|at| at.to_string())),
        ("AWSTraceHeader", message.trace),
        ("DeadLetterQueueSourceArn", source),
    ];
    let system: Map<_, _> = values
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect();
    let asked_for = |name: &str| {
        request.message_attribute_names.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == "All" || wanted == name,
        })
    };
    let attributes: Map<_, _> = message.attributes.into_iter().filter(|(name, _)| asked_for(name)).collect();
    json!({
        "MessageId": message.id.to_string(),
        "ReceiptHandle": receipt_handle,
        "Body": message.body,
        "Attributes": system,
        "MessageAttributes": attributes,
    })
}

/// Reads a queue's attributes. Those that change nothing in one process are kept and otherwise ignored.
fn settings(attributes: BTreeMap<String, String>) -> Result<Settings, SqsError> {
    let mut settings = Settings::default();
    for (name, value) in &attributes {
        let number = |max| match value.parse() {
            Ok(number) if number <= max => Ok(Duration::from_secs(number)),
            _ => Err(refused("InvalidAttributeValue", format!("{name} must be between 0 and {max}."))),
        };
        match name.as_str() {
            "DelaySeconds" => settings.delay = number(MAX_DELAY)?,
            "VisibilityTimeout" => settings.visibility_timeout = number(MAX_VISIBILITY_TIMEOUT)?,
            "ReceiveMessageWaitTimeSeconds" => settings.wait = number(MAX_WAIT)?,
            "RedrivePolicy" => settings.redrive = Some(redrive(value)?),
            "FifoQueue" => return Err(refused("InvalidAttributeName", "FIFO queues are not supported.")),
            _ => {}
        }
    }
    settings.attributes = attributes;
    Ok(settings)
}

/// The name of the dead-letter queue, and after how many receives a message goes there.
fn redrive(policy: &str) -> Result<(String, u32), SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RedrivePolicy {
        dead_letter_target_arn: String,
        max_receive_count: Count,
    }
    // The service takes both.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Count {
        Number(u32),
        Text(String),
    }
    let unreadable = || refused("InvalidAttributeValue", "RedrivePolicy is not valid.");
    let policy: RedrivePolicy = serde_json::from_str(policy).map_err(|_| unreadable())?;
    let count = match policy.max_receive_count {
        Count::Number(count) => count,
        Count::Text(count) => count.parse().map_err(|_| unreadable())?,
    };
    let name = policy.dead_letter_target_arn.rsplit(':').next().unwrap_or_default().to_owned();
    if count == 0 || name.is_empty() { Err(unreadable()) } else { Ok((name, count)) }
}
