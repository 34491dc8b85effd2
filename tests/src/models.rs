//! Stand-ins for providers of models: a server on this machine that answers as the provider does, and the key with
//! which a workspace calls it.

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::client::Workspace;

/// A server that stands in for a provider.
#[derive(Debug)]
pub struct Models(MockServer);

impl Models {
    /// One that answers every request with these, in turn, and with the last one from then on.
    pub async fn answering(answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        let server = MockServer::start().await;
        let answers: Vec<ResponseTemplate> = answers.into_iter().collect();
        let last = answers.len().saturating_sub(1);
        for (at, answer) in answers.into_iter().enumerate() {
            let mock = Mock::given(method("POST")).respond_with(answer);
            let mock = if at < last { mock.up_to_n_times(1) } else { mock };
            mock.mount(&server).await;
        }
        Self(server)
    }

    /// One whose answers are made as requests come in.
    pub async fn responding(answers: impl Respond + 'static) -> Self {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answers).mount(&server).await;
        Self(server)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.0.uri()
    }

    /// What came in.
    ///
    /// # Panics
    /// When nothing was recorded.
    pub async fn requests(&self) -> Vec<Request> {
        self.0.received_requests().await.expect("a record")
    }

    /// The bodies that came in.
    pub async fn bodies(&self) -> Vec<Value> {
        let bodies = self.requests().await;
        bodies.iter().map(|request| serde_json::from_slice(&request.body).unwrap_or_default()).collect()
    }
}

/// An answer of OpenAI with this text.
pub fn openai_says(text: &str, tokens_in: u64, tokens_out: u64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1_741_569_952,
        "model": "gpt-4.1-2025-04-14",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text, "refusal": null,
                      "annotations": [] }, "logprobs": null, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": tokens_in, "completion_tokens": tokens_out,
                   "total_tokens": tokens_in + tokens_out,
                   "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
                   "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0,
                     "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 } },
        "service_tier": "default"
    }))
}

impl Workspace {
    /// Keeps a key and returns its id.
    pub async fn llm_key(&self, key: &Value) -> String {
        let made = self.client.post("/v1/llm-provider-keys", key).await.expect(201);
        made["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Keeps a key of OpenAI that leads to a stand-in, and returns its id.
    pub async fn openai_key(&self, models: &Models, api_key: &str) -> String {
        self.llm_key(&json!({ "provider": "openai", "api_key": api_key, "base_url": models.url() })).await
    }
}
