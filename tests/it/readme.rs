//! The README's commands, run as they stand there, against a process started on empty data. Each `sh` block is
//! followed by the answer it gives; ids and times differ from run to run, everything else must be as written.

use std::path::Path;
use std::process::Command;

use it::{LocalProcess, repository};
use serde_json::Value;

/// A block of the README: its language and its text.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(language)) => open = Some((language, String::new())),
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// An answer without what differs from run to run.
fn settled(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let settle = |(key, value): (&String, &Value)| match key.as_str() {
                // The last changes with every field that graphs get.
                "duration_ms"
                | "signing_secret"
                | "ingress_url"
                | "ingress_path"
                | "workflow_graph_schema_hash" => (key.clone(), Value::from("…")),
                _ => (key.clone(), settled(value)),
            };
            Value::Object(map.iter().map(settle).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(settled).collect()),
        Value::String(text) => {
            let is_uuid = |text: &str| text.len() == 36 && text.chars().filter(|c| *c == '-').count() == 4;
            let is_time = text.parse::<shared::types::clock::Timestamp>().is_ok();
            let (head, tail) = text.split_at_checked(36).unwrap_or((text, ""));
            match text {
                _ if is_time => Value::from("a time"),
                _ if is_uuid(head) => Value::from(format!("an id{tail}")),
                _ => value.clone(),
            }
        }
        other => other.clone(),
    }
}

#[test]
fn every_command_of_the_readme_gives_the_answer_that_stands_there() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let blocks = blocks(&readme);
    let plain: Vec<&str> =
        blocks.iter().filter(|(kind, _)| kind.is_empty()).map(|(_, text)| text.trim()).collect();
    // The first is what this test starts, the second is what runs this test.
    assert_eq!(plain, ["cargo run --release -p local", "./test.sh"]);

    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    let process = LocalProcess::start(program, &folder.path().join(".local"));
    let mut script = String::from("set -euo pipefail\n");
    let mut expected = Vec::new();
    let mut blocks = blocks.iter().filter(|(kind, _)| !kind.is_empty());
    while let Some((kind, command)) = blocks.next() {
        assert_eq!(*kind, "sh", "a command and its answer come in pairs");
        let (kind, answer) = blocks.next().unwrap();
        assert_eq!(*kind, "json", "after {command}");
        let command = command.replace("http://127.0.0.1:8787", &process.base_url);
        // What a terminal shows: standard output, and standard error for what `tee` shows of a captured answer.
        script.push_str(&format!("exec 1>{0}.out 2>{0}.err\n{command}\n", expected.len()));
        expected.push((command, answer.clone()));
    }
    assert!(expected.len() >= 9, "the main job, call by call");
    let ran = Command::new("bash").arg("-c").arg(&script).current_dir(folder.path()).status().unwrap();
    assert!(ran.success(), "a command of the README failed");
    for (number, (command, answer)) in expected.iter().enumerate() {
        let shown =
            |kind: &str| std::fs::read_to_string(folder.path().join(format!("{number}.{kind}"))).unwrap();
        let text = [shown("out"), shown("err")].concat();
        let got: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{command}\nanswers {text}"));
        let want: Value =
            serde_json::from_str(answer).unwrap_or_else(|_| panic!("{command}\nin README: {answer}"));
        assert_eq!(settled(&got), settled(&want), "{command}\nanswers {got:#}");
    }
}

#[test]
fn each_delivery_of_the_page_on_webhooks_starts_a_run() {
    let page = std::fs::read_to_string(repository().join("docs/webhooks.md")).unwrap();
    let commands: Vec<String> =
        blocks(&page).into_iter().filter(|(kind, _)| *kind == "sh").map(|(_, text)| text).collect();
    let (create, deliveries) = commands.split_first().unwrap();
    let senders = ["generic", "github", "stripe", "slack", "shopify", "twilio"];
    assert_eq!(deliveries.len(), senders.len(), "one delivery for each sender");

    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    let process = LocalProcess::start(program, &folder.path().join(".local"));
    let mut script = format!("set -euo pipefail\nBASE={} TOKEN={}\n", process.base_url, process.token);
    script.push_str(
        r#"api() { curl -sf $BASE/v1/$1 -H "Authorization: Bearer $TOKEN" -d "$2"; }
           field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
           WORKFLOW=$(api workflows '{"name":"w","graph":{"steps":[{"id":"a","type":"lua_script","script":"return {}"}]}}' |
             sed 's/{"id":"\([^"]*\)".*/\1/')
           api workflows/$WORKFLOW/versions '{}' >/dev/null
           create() { api inbound-webhooks '{"workflow_id":"'$WORKFLOW'","name":"w","automation_bearer":"'$TOKEN'",'"$1"'}'; }
        "#,
    );
    for (sender, delivery) in senders.iter().zip(deliveries) {
        let create = match *sender {
            "generic" => format!("MADE=$({create})\nSECRET=$(field signing_secret <<< \"$MADE\")"),
            sender => format!(
                "SECRET=whsec_of_the_page\nMADE=$(create '\"sender\":\"{sender}\",\"signing_secret\":\"'$SECRET'\"')"
            ),
        };
        script.push_str(&format!("{create}\nHOOK=$(field ingress_url <<< \"$MADE\")\n{delivery}\necho\n"));
    }
    let ran = Command::new("bash").arg("-c").arg(&script).current_dir(folder.path()).output().unwrap();
    let answers = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{answers}{}", String::from_utf8_lossy(&ran.stderr));
    let started = answers.lines().filter(|line| line.contains("\"run_id\""));
    assert_eq!(started.count(), senders.len(), "{answers}");
}
