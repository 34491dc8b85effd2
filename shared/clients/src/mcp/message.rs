//! JSON-RPC messages of servers, read without rmcp's types: a field that a server leaves out or gets wrong makes these
//! refuse a whole answer, and say no more of it than that it is another's.

use rmcp::model::InitializeResult;
use serde_json::{Value, json};

use super::error::McpError;
use super::words::{of_report, shown, shown_value, unexpected};
use types::json_numbers;
use types::text::json_kind;

/// What a message is to a request.
#[derive(Debug)]
pub(super) enum Message {
    /// Its result.
    Result(Value),
    /// Its refusal.
    Refusal(Value),
    /// Nothing: a notification, a request of the server, another's answer; why, for when nothing better comes.
    Unrelated(String),
}

/// A message, or the one of a batch that answers.
///
/// # Errors
/// When it is no JSON.
pub(super) fn read(bytes: &[u8], id: &Value) -> Result<Message, McpError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(McpError::Protocol("the answer is empty; a message of JSON-RPC was expected".to_owned()));
    }
    let mut value: Value = json_numbers::from_slice(bytes).map_err(|error| {
        // Without the text, which may be long and may hold anything.
        let place = format!("line {} column {}", error.line(), error.column());
        McpError::Protocol(format!("the answer is not a message of JSON-RPC: it is no JSON ({place})"))
    })?;
    if value.pointer("/result/tools").is_some_and(Value::is_array)
        && let Ok(as_written) = serde_json::from_slice(bytes)
    {
        // The bounds in a schema are numbers, and the nearest doubles bound as well.
        value = as_written;
    }
    Ok(match value {
        Value::Array(batch) => {
            let nothing = || Message::Unrelated("the answer is a list without an answer in it".to_owned());
            let messages = batch.into_iter().map(|message| related(message, id));
            messages.fold(nothing(), |found, message| match found {
                Message::Unrelated(_) => message,
                found => found,
            })
        }
        message => related(message, id),
    })
}

fn related(mut message: Value, id: &Value) -> Message {
    if !message.is_object() {
        let what = unexpected("the answer", Some(&message), "a message of JSON-RPC");
        return Message::Unrelated(what);
    }
    if message.get("method").is_some() {
        return Message::Unrelated("the server sent a request or notification, and no answer".to_owned());
    }
    let theirs = message["id"].take();
    let (result, error) = (message["result"].take(), message["error"].take());
    if !error.is_null() && (theirs.is_null() || is_same(&theirs, id)) {
        return Message::Refusal(error);
    }
    if result.is_null() && error.is_null() {
        let what = "the answer is not a message of JSON-RPC: it has neither result nor error";
        return Message::Unrelated(what.to_owned());
    }
    match is_same(&theirs, id) {
        true => Message::Result(result),
        false => {
            // An id may be of any length, and hold anything.
            let theirs =
                if theirs.is_number() { shown_value(&theirs) } else { json_kind(&theirs).to_owned() };
            Message::Unrelated(format!("the answer is to another request: its id is {theirs}, expected {id}"))
        }
    }
}

/// Some servers write every id as a string.
pub(super) fn is_same(theirs: &Value, id: &Value) -> bool {
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    !theirs.is_null() && (theirs == id || text(theirs) == text(id))
}

/// The refusal that an answer's `error` is.
pub(super) fn refusal(error: &Value) -> McpError {
    let code = error.get("code").and_then(|code| code.as_i64().or_else(|| code.as_str()?.parse().ok()));
    let message = of_report(error).unwrap_or_else(|| "it does not say why".to_owned());
    let data = error.get("data").and_then(of_report).filter(|data| !message.contains(data));
    let message = data.map_or_else(|| message.clone(), |data| shown(&format!("{message} ({data})")));
    McpError::Rpc { code: code.unwrap_or_default(), message }
}

/// What a server says of itself in its answer to `initialize`; of its other words nothing is used.
///
/// # Errors
/// When it names no version of the protocol.
pub(super) fn greeting(result: &Value) -> Result<InitializeResult, McpError> {
    let wrong = |what: String| McpError::Protocol(format!("in the answer to initialize, {what}"));
    if !result.is_object() {
        return Err(wrong(unexpected("result", Some(result), "an object")));
    }
    let version = result.get("protocolVersion");
    if !version.is_some_and(Value::is_string) {
        return Err(wrong(unexpected("result.protocolVersion", version, "a string")));
    }
    let info = |field: &str| result["serverInfo"][field].as_str().map(shown).unwrap_or_default();
    let greeting = json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": info("name"), "version": info("version") },
    });
    serde_json::from_value(greeting).map_err(|_| wrong("result cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &Value) -> Message {
        read(message.to_string().as_bytes(), &json!(3)).unwrap()
    }

    #[test]
    fn answers_are_told_from_everything_else() {
        for answer in [
            json!({ "jsonrpc": "2.0", "id": 3, "result": 1 }),
            json!({ "id": "3", "result": 1, "error": null }),
            json!([{ "method": "notifications/message" }, { "id": 3, "result": 1 }]),
        ] {
            assert!(matches!(of(&answer), Message::Result(one) if one == 1), "{answer}");
        }
        for answer in [json!({ "id": 3, "error": "no" }), json!({ "id": null, "error": { "code": -32600 } })]
        {
            assert!(matches!(of(&answer), Message::Refusal(_)), "{answer}");
        }
        for (answer, why) in [
            (json!({ "id": 4, "result": 1 }), "its id is 4, expected 3"),
            (json!({ "id": "s3cret", "result": 1 }), "its id is a string, expected 3"),
            (json!({ "result": 1 }), "its id is null"),
            (json!({ "id": 3 }), "neither result nor error"),
            (json!({ "id": 3, "method": "ping" }), "a request or notification"),
            (json!("x"), "the answer is a string"),
            (json!([]), "a list without an answer"),
        ] {
            let Message::Unrelated(said) = of(&answer) else { panic!("{answer}") };
            assert!(said.contains(why), "{said}");
        }
        assert!(read(b"", &json!(3)).is_err() && read(b"<p>", &json!(3)).is_err());
        assert!(matches!(
            read("\u{feff}{\"id\":3,\"result\":1}".as_bytes(), &json!(3)),
            Ok(Message::Result(_))
        ));
    }

    #[test]
    fn refusals_and_greetings_are_read_leniently() {
        let error = json!({ "code": "-32602", "message": "bad\nargs", "data": { "detail": "a is missing" } });
        let expected = McpError::Rpc { code: -32602, message: "bad args (a is missing)".to_owned() };
        assert_eq!(refusal(&error), expected);
        assert!(matches!(refusal(&json!("no")), McpError::Rpc { message, .. } if message == "no"));
        assert!(greeting(&json!({ "protocolVersion": "2025-06-18" })).is_ok());
        let Err(McpError::Protocol(why)) = greeting(&json!({ "protocolVersion": 5 })) else {
            panic!("it is read")
        };
        assert!(why.contains("result.protocolVersion is a number; a string was expected"), "{why}");
    }
}
