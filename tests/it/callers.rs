//! Who may call: tokens, what they look like, when they end, and the place they name. Roles and scopes of each
//! route are in [`crate::routes`].

use std::time::Duration;

use it::{TestApp, workflow};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;

#[tokio::test]
async fn without_a_valid_token_the_answer_is_401_in_the_same_words() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let swap = |at: usize| {
        let mut text = acme.token.clone().into_bytes();
        text[at] = if text[at] == b'a' { b'b' } else { b'a' };
        String::from_utf8(text).unwrap()
    };
    let stranger = app.anyone.clone();
    let nobody = stranger.get("/v1/workflows").await;
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    nobody.refused(401, "UNAUTHENTICATED");
    for value in ["", "Bearer", "Bearer ", &acme.token, &format!("Basic {}", acme.token)] {
        let answer = stranger.with("authorization", value).get("/v1/workflows").await;
        answer.refused(401, "UNAUTHENTICATED");
    }
    let mut sentences = Vec::new();
    let forged = format!("{}{}", &acme.token[..36], &app.workspace("other").await.token[36..]);
    for token in ["pat_x", "garbage", &swap(10), &swap(50), &swap(acme.token.len() - 1), &forged] {
        let body = stranger.bearer(token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
        sentences.push(body["error"].as_str().unwrap().to_owned());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    let lower_case = stranger.with("authorization", &format!("bearer {}", acme.token));
    lower_case.get("/v1/workflows").await.expect(200);
}

#[tokio::test]
async fn a_well_formed_token_that_nobody_issued_is_refused() {
    let app = TestApp::without_worker(Clock::System).await;
    let elsewhere = TestApp::without_worker(Clock::System).await.workspace("acme").await;
    app.anyone.bearer(&elsewhere.token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_ends_when_it_expires_although_it_was_used_before() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    app.workspace("acme").await;
    let end = clock.now().plus(Duration::from_secs(10));
    let guest = app.member(("acme", "default"), Role::ProjectViewer, &[], Some(end)).await;
    guest.client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_millis(9_999));
    guest.client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_millis(1));
    guest.client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn headers_may_name_the_tokens_own_place_and_no_other() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    app.workspace("other").await;
    let own = acme.client.with("x-tenant-id", "acme").with("x-project-id", "default");
    own.get("/v1/workflows").await.expect(200);
    for (header, value) in [
        ("x-tenant-id", "other"),
        ("x-tenant-id", "nobody"),
        ("x-tenant-id", ""),
        ("x-project-id", "other"),
        ("x-project-id", "DEFAULT"),
    ] {
        let client = acme.client.with(header, value);
        client.get("/v1/workflows").await.refused(403, "WRONG_PLACE");
        client.post("/v1/workflows", &workflow("w")).await.refused(403, "WRONG_PLACE");
    }
}
