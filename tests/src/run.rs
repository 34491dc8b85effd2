//! A run as a client sees it: what it does, what it asks people, and what can be done to it.

use serde_json::{Value, json};

use crate::client::{Answer, Workspace};

/// Somebody's run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose it is.
    pub owner: Workspace,
    /// Its workflow.
    pub workflow: String,
    /// Its id.
    pub id: String,
}

impl Workspace {
    /// Publishes a workflow and starts a run of it.
    pub async fn begin(&self, graph: &Value, params: Value) -> Run {
        let workflow = self.publish(graph).await;
        self.begin_again(&workflow, params).await
    }

    /// Starts a run of a published workflow.
    pub async fn begin_again(&self, workflow: &str, params: Value) -> Run {
        let id = self.start(workflow, params).await;
        self.known_run(workflow, &id)
    }

    /// A run that was started before.
    pub fn known_run(&self, workflow: &str, id: &str) -> Run {
        Run { owner: self.clone(), workflow: workflow.to_owned(), id: id.to_owned() }
    }
}

impl Run {
    /// The path of the run, or of what is below it.
    pub fn path(&self, below: &str) -> String {
        format!("/v1/workflows/{}/runs/{}{below}", self.workflow, self.id)
    }

    /// The whole run.
    pub async fn view(&self) -> Value {
        self.owner.client.get(&self.path("")).await.expect(200)
    }

    /// The run in short.
    pub async fn summary(&self) -> Value {
        self.owner.client.get(&self.path("/summary")).await.expect(200)
    }

    /// Its input, and what its steps were given and made.
    pub async fn context(&self) -> Value {
        self.owner.client.get(&self.path("/context")).await.expect(200)
    }

    /// Its status.
    pub async fn status(&self) -> String {
        self.summary().await["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The run when it is over, or after 20 s.
    pub async fn finished(&self) -> Value {
        self.owner.finished(&self.workflow, &self.id).await
    }

    /// The result of a step.
    pub async fn result(&self, step: &str) -> Value {
        self.owner.client.get(&self.path("/context")).await.expect(200)["steps"][step]["result"].clone()
    }

    /// `status`, or the reason of a skipped step, as `id status`, in the graph's order.
    pub async fn outcomes(&self) -> Vec<String> {
        let run = self.view().await;
        let outcome = |step: &Value| {
            let text = step["reason"].as_str().or(step["status"].as_str()).unwrap_or_default();
            format!("{} {text}", step["id"].as_str().unwrap_or_default())
        };
        run["steps"].as_array().into_iter().flatten().map(outcome).collect()
    }

    /// A step of the run.
    ///
    /// # Panics
    /// When the run has no such step.
    pub async fn step(&self, id: &str) -> Value {
        let run = self.view().await;
        let found = run["steps"].as_array().into_iter().flatten().find(|step| step["id"] == id).cloned();
        found.unwrap_or_else(|| panic!("no step {id} in {run:#}"))
    }

    /// Every event.
    pub async fn events(&self) -> Vec<Value> {
        self.owner.events(&json!({ "workflow_id": self.workflow, "run_id": self.id })).await
    }

    /// Every event as `type step`, or `state_changed status`.
    pub async fn story(&self) -> Vec<String> {
        let line = |event: &Value| {
            let about = event["step_id"].as_str().or(event["data"]["to"].as_str()).unwrap_or("run");
            format!("{} {about}", event["event_type"].as_str().unwrap_or_default())
        };
        self.events().await.iter().map(line).collect()
    }

    /// The open human tasks.
    pub async fn tasks(&self) -> Vec<Value> {
        let tasks = self.owner.client.get(&self.path("/tasks/pending")).await.expect(200);
        tasks["tasks"].as_array().cloned().unwrap_or_default()
    }

    /// Answers a human task.
    pub async fn answer(&self, task: &str, answer: &Value) -> Answer {
        self.owner.client.post(&self.path(&format!("/tasks/{task}/complete")), answer).await
    }

    /// Says yes.
    pub async fn approve(&self, task: &str) {
        self.answer(task, &json!({ "approved": true })).await.expect(200);
    }

    /// Says no.
    pub async fn reject(&self, task: &str) {
        self.answer(task, &json!({ "approved": false })).await.expect(200);
    }

    /// Gives the run a command: `pause`, `resume`, `stop`.
    pub async fn command(&self, command: &str, mode: Option<&str>) -> Answer {
        let mut params = json!({ "run_id": self.id });
        if let Some(mode) = mode {
            params["mode"] = json!(mode);
        }
        let path = format!("/v1/workflows/{}/command", self.workflow);
        self.owner.client.post(&path, &json!({ "command": command, "params": params })).await
    }

    /// Pauses it.
    pub async fn pause(&self) -> Value {
        self.command("pause", None).await.expect(200)
    }

    /// Resumes it.
    pub async fn resume(&self) -> Value {
        self.command("resume", None).await.expect(200)
    }

    /// Stops it at once.
    pub async fn stop(&self) -> Value {
        self.command("stop", None).await.expect(200)
    }

    /// Stops it when what is under way has finished.
    pub async fn stop_gracefully(&self) -> Value {
        self.command("stop", Some("graceful")).await.expect(200)
    }

    /// Retries it.
    pub async fn retry(&self, body: &Value) -> Answer {
        self.owner.client.post(&self.path("/retry"), body).await
    }
}
