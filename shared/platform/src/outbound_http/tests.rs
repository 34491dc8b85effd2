use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::{any, get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use types::clock::Timestamp;

const LIMITS: Limits = Limits { time: Duration::from_secs(20), bytes: 1024 };

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://127.0.0.1:{port}")
}

fn local() -> Outbound {
    Outbound::new(OutboundPolicy { allow_private: true, ..OutboundPolicy::default() })
}

fn get_of(url: &str) -> http::Request<Vec<u8>> {
    http::Request::get(url).body(Vec::new()).unwrap()
}

#[tokio::test]
async fn an_answer_is_read_to_its_end() {
    let base = serve(Router::new().route("/", get(async || "hello"))).await;
    let answer = local().send(get_of(&base), LIMITS).await.unwrap();
    assert_eq!((answer.status, answer.bytes().await.unwrap()), (StatusCode::OK, b"hello".to_vec()));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_left_whether_it_says_its_length_or_not() {
    let with_length = serve(Router::new().route("/", get(async || "x".repeat(2000)))).await;
    for base in [with_length, endless().await] {
        let answer = local().send(get_of(&base), LIMITS).await.unwrap();
        assert_eq!(answer.bytes().await.unwrap_err(), OutboundError::TooLarge(1024), "{base}");
    }
}

/// A server whose answer says no length and has no end.
async fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        // An answer before the request would be unexpected.
        let _ = client.read(&mut [0; 1024]).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        client.write_all(head).await.unwrap();
        while client.write_all(b"4\r\nxxxx\r\n").await.is_ok() {}
    });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let base = serve(Router::new().route("/", get(std::future::pending::<&str>))).await;
    let limits = Limits { time: Duration::from_millis(50), bytes: 10 };
    let error = local().send(get_of(&base), limits).await.unwrap_err();
    assert_eq!(error, OutboundError::Timeout(limits.time));
    assert!(error.may_pass());
}

#[tokio::test]
async fn redirects_lead_to_the_same_server_only() {
    let to = |status: u16, location: &'static str| {
        any(async move || (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)]))
    };
    let router = Router::new()
        .route("/mcp", to(307, "/mcp/"))
        .route("/mcp/", post(async |body: String| body))
        .route("/metadata", to(307, "http://169.254.169.254/latest/meta-data/?token=x"))
        .route("/see", to(303, "/mcp/"))
        .route("/loop", to(308, "/loop"));
    let base = serve(router).await;
    let send = async |path: &str| {
        let request = http::Request::post(format!("{base}{path}")).body(b"body".to_vec()).unwrap();
        local().send(request, LIMITS).await
    };
    assert_eq!(send("/mcp").await.unwrap().bytes().await.unwrap(), b"body");
    let error = send("/metadata").await.unwrap_err();
    assert_eq!(error, OutboundError::Redirected("http://169.254.169.254".to_owned()));
    assert!(!error.may_pass());
    for path in ["/see", "/loop"] {
        assert_eq!(send(path).await.unwrap_err(), OutboundError::Redirected(base.clone()), "{path}");
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_called() {
    let calls = Arc::new(AtomicUsize::new(0));
    let base = serve(Router::new().route("/", get(async || "reached"))).await;
    let url = base.replace("127.0.0.1", "turns.example").replace("http://", "https://");
    let counted = Arc::clone(&calls);
    let lookup: Lookup = Arc::new(move |_| {
        // Public when it is looked at first, then this machine.
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let address: IpAddr = if first { "203.0.114.1" } else { "127.0.0.1" }.parse().unwrap();
        Box::pin(async move { Ok(vec![address]) })
    });
    let client = Outbound::with_lookup(OutboundPolicy::default(), lookup);
    assert!(client.url(&url).is_ok(), "a name says nothing yet");
    let short = Limits { time: Duration::from_millis(50), bytes: 10 };
    assert!(!matches!(client.send(get_of(&url), short).await, Err(OutboundError::Refused(_))));
    let error = client.send(get_of(&url), LIMITS).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Refused(why) if why.contains("turns.example")), "{error}");
}

#[tokio::test]
async fn one_private_address_among_public_ones_is_enough() {
    let mixed: Lookup =
        Arc::new(|_| Box::pin(async { Ok(vec!["8.8.8.8".parse().unwrap(), "10.0.0.1".parse().unwrap()]) }));
    let client = Outbound::with_lookup(OutboundPolicy::default(), mixed);
    let error = client.send(get_of("https://mixed.example/"), LIMITS).await.unwrap_err();
    assert!(matches!(error, OutboundError::Refused(_)), "{error}");
}

#[tokio::test]
async fn no_error_quotes_a_url() {
    let client = local();
    for url in ["http://127.0.0.1:1/?key=s3cret", "http://nowhere.invalid/?key=s3cret"] {
        let error = client.send(get_of(url), LIMITS).await.unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(error.may_pass(), "{error}");
    }
}

#[test]
fn urls_are_judged_before_anything_is_sent() {
    let strict = OutboundPolicy::default();
    for refused in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/",
        "https://user:pass@example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "example.com",
        "",
    ] {
        assert!(matches!(strict.url(refused), Err(OutboundError::Refused(_))), "{refused}");
    }
    assert!(strict.url("https://example.com/mcp").is_ok());
    let open = OutboundPolicy { allow_private: true, ..OutboundPolicy::default() };
    assert!(open.url("http://127.0.0.1:3000/mcp").is_ok());
    assert!(open.url("http://169.254.169.254/").is_err(), "metadata stays out");
    let listed = OutboundPolicy::of_texts("", "", "mcp.internal, 10.1.0.0/16, not a host,");
    assert_eq!(listed.allowed.len(), 2);
    assert!(listed.url("http://mcp.internal/").is_ok());
    assert!(listed.url("http://10.1.2.3/").is_ok());
    assert!(listed.url("https://10.2.2.3/").is_err());
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
    let asked = |text: &str| {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, now)
    };
    assert_eq!(asked("7"), Some(Duration::from_secs(7)));
    assert_eq!(asked("Wed, 25 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
    assert_eq!(asked("Wed, 25 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(asked("1.5"), Some(Duration::from_millis(1500)));
    for none in ["soon", "-1", "inf", "NaN", "1e300"] {
        assert_eq!(asked(none), None, "{none}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}
