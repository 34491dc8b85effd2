//! The Lambda function `inbound_webhooks`.

use shared::AppState;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::platform::telemetry::init("info");
    let state = AppState::from_env();
    lambda_http::run(inbound_webhooks::router(state)).await
}
