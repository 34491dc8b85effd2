//! The public side of inbound webhooks, with the narrowest rights of all functions: it reads its subscription and
//! that one's token, reads signing secrets, writes a run and sends its message.

mod receive;

shared::function! {
    routes!(Open: receive::receive_webhook),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn bodies_that_the_gateway_encodes_arrive_as_they_were_sent() {
        let event = include_str!("../../../events/webhook_ingress_delivery.json");
        let mut event: Value = serde_json::from_str(event).unwrap();
        // The bytes 1f 8b 00 ff, which are no text.
        event["body"] = json!("H4sA/w==");
        event["isBase64Encoded"] = json!(true);
        event["rawQueryString"] = json!("a=1&b=%20x");
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        assert_eq!(request.body().as_ref(), [0x1f, 0x8b, 0x00, 0xff]);
        // Twilio signs the address as it was called.
        assert_eq!(request.uri().query(), Some("a=1&b=%20x"));
        assert_eq!(request.uri().path(), event["rawPath"].as_str().unwrap());
    }
}
