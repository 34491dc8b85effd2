use shared::types::error::ErrorCode;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use proptest::prelude::*;

use super::*;

const OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{\"page\":1}";
const REFUSED: &str =
    "HTTP/1.1 503 x\r\nretry-after: 7\r\ncontent-length: 33\r\n\r\n{\"message\":\"Service Unavailable\"}";
const ELSEWHERE: &str = "HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{";

/// An API that answers one connection after the other with these bytes, and what it was asked.
fn answering(answers: &'static [&'static str]) -> (Api, JoinHandle<Vec<String>>) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = Api::at(&format!("http://{}/base/", server.local_addr().unwrap()));
    let asked = thread::spawn(move || {
        let asked = answers.iter().map(|answer| {
            let (mut stream, _) = server.accept().unwrap();
            let mut got = vec![0; 8192];
            let read = stream.read(&mut got).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&got[..read]).into_owned()
        });
        asked.collect()
    });
    (api, asked)
}

fn caller() -> HeaderMap {
    let headers = [
        ("authorization", "Bearer t"),
        ("x-project-id", "p"),
        ("x-request-id", "r"),
        ("host", "mine"),
        ("cookie", "c"),
    ];
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    headers.map(header).into_iter().collect()
}

fn call(method: Method, body: Option<Value>) -> Call {
    Call { method, target: "/v1/workflows?limit=5".to_owned(), headers: HeaderMap::new(), body }
}

#[tokio::test]
async fn a_request_goes_to_the_apis_address_with_who_calls_and_nothing_else_of_theirs() {
    let (api, asked) = answering(&[OK]);
    let answer = api.send(&caller(), call(Method::POST, Some(json!({ "name": "n" })))).await.unwrap();
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!({ "page": 1 })));
    let asked = asked.join().unwrap().remove(0);
    assert!(asked.starts_with("POST /base/v1/workflows?limit=5 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\n{\"name\":\"n\"}"), "{asked}");
    for header in ["authorization: Bearer t", "x-project-id: p", "x-request-id: r", "host: 127.0.0.1"] {
        assert!(asked.contains(header), "{asked}");
    }
    assert!(!asked.contains("cookie") && !asked.contains("mine"), "{asked}");
}

#[tokio::test]
async fn what_breaks_off_is_asked_for_again_where_it_is_done_once() {
    let keyed = {
        let mut caller = caller();
        caller.insert("idempotency-key", HeaderValue::from_static("k"));
        caller
    };
    for (caller, method) in [(&caller(), Method::GET), (&keyed, Method::POST)] {
        let (api, asked) = answering(&[BROKEN, OK]);
        assert_eq!(api.send(caller, call(method, None)).await.unwrap().status, StatusCode::OK);
        assert_eq!(asked.join().unwrap().len(), 2);
    }
    let (api, asked) = answering(&[BROKEN]);
    let error = api.send(&caller(), call(Method::POST, None)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ApiUnanswered);
    let refusal = Answer::refusal(&error, &caller());
    assert_eq!(
        (refusal.status, refusal.retry_after.as_deref()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("1"))
    );
    assert_eq!(refusal.body["request_id"], "r");
    assert_eq!(asked.join().unwrap().len(), 1);
}

#[tokio::test]
async fn an_api_that_is_not_there_did_nothing() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        Api::at(&format!("http://{free}")).send(&caller(), call(Method::POST, None)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ApiUnreachable);
    assert!(!error.message.contains("127.0.0.1"), "{}", error.message);
}

#[tokio::test]
async fn without_an_address_the_log_says_which_setting_is_missing() {
    let error = Api::at("").send(&caller(), call(Method::GET, None)).await.unwrap_err();
    assert!(error.context.as_deref().is_some_and(|why| why.contains("PLATFORM_MCP_API_URL")), "{error:?}");
}

#[tokio::test]
async fn a_gateways_own_answers_are_explained() {
    let (api, _) = answering(&[REFUSED]);
    let answer = api.send(&caller(), call(Method::GET, None)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.retry_after.as_deref()), (503, Some("7")));
    assert_eq!(answer.body["code"], "API_REFUSED");
    assert!(answer.body["error"].as_str().unwrap().contains("Service Unavailable"), "{}", answer.body);
    let (api, _) = answering(&["HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>"]);
    let error = api.send(&caller(), call(Method::GET, None)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ApiUnreadable);
    assert!(error.message.contains("502"), "{}", error.message);
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let (api, _) = answering(&[ELSEWHERE]);
    let answer = api.send(&caller(), call(Method::POST, None)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body["code"].as_str()), (307, Some("API_REFUSED")));
}

#[tokio::test]
async fn a_path_that_a_url_reads_differently_is_sent_to_nobody() {
    let calls = [
        "/v1/mcp/../pats",
        "/v1/mcp/%2e%2e/pats",
        "/v1/mcp/.%2E/pats",
        "/v1/mcp/./servers",
        "/v1/mcp/\\..\\pats",
        "/v1/m\tcp",
        "/v1/mcp/a b",
        "/v1/mcp#x",
    ];
    for api in [Api::at("http://127.0.0.1:1"), Api::within(Router::new())] {
        for target in calls {
            let call = Call { target: target.to_owned(), ..call(Method::GET, None) };
            let error = api.send(&caller(), call).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest, "{target}");
        }
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for bad in [
        "",
        ".",
        "..",
        "/",
        "a/",
        "../a",
        "a/../b",
        "%2e%2e",
        ".%2E",
        "%252e%252e",
        "..%5C",
        "\\..",
        "%00",
        "\n",
        "%ff",
    ] {
        assert!(segment("id", bad).is_err(), "{bad:?}");
    }
    for (good, written) in
        [("a", "a"), ("a/b", "a%2Fb"), ("a.b", "a.b"), ("100%", "100%25"), ("ä?#", "%C3%A4%3F%23")]
    {
        assert_eq!(segment("id", good).unwrap(), written);
    }
}

/// Texts that are made of what is special in paths.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("."),
        Just(".."),
        Just("/"),
        Just("\\"),
        Just("%2e"),
        Just("%2E"),
        Just("%2f"),
        Just("%5c"),
        Just("%25"),
        Just("%252e"),
        Just("?"),
        Just("#"),
        Just("%"),
        Just("2e"),
        Just("a"),
        Just("\t"),
        Just("\u{0}"),
        Just("ä"),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_segment_stays_one_however_it_is_read(text in prop_oneof![hostile(), any::<String>()]) {
        if let Ok(segment) = segment("id", &text) {
            let target = format!("/v1/things/{segment}/end");
            let url = reqwest::Url::parse(&format!("http://api{target}")).unwrap();
            prop_assert_eq!(url.path(), &target);
            prop_assert_eq!(url.path_segments().unwrap().count(), 4);
            prop_assert_eq!(percent_decode_str(&segment).decode_utf8().unwrap(), text.as_str());
            // Whoever undoes more escapes than there are, and splits again, finds no way up.
            let mut decoded = segment;
            for _ in 0..6 {
                decoded = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
                prop_assert!(!decoded.split(['/', '\\']).any(|part| part == ".."), "{}", decoded);
            }
        }
    }
}
