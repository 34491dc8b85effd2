//! The Lambda function `onboarding`.

shared::function_main!(onboarding::router);
