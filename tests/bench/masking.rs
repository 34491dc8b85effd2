//! How fast secrets are looked for in what servers answer, by what that is.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use shared::platform::secrets::Mask;

/// How many records the text under test has.
const RECORDS: usize = 10_000;

/// Prints megabytes per second.
pub fn print() {
    let mut mask = Mask::default();
    for secret in ["sk-proj-0123456789abcdefghijklmnopqrstuvwxyz", "hunter2-hunter2"] {
        mask.note(&secret.into());
    }
    let record = json!({ "id": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "title": "A sentence with \"quotes\" & <signs>.",
                         "path": "/srv/data/reports/2026/report.pdf", "n": 12345.5, "tags": ["a", "b"] });
    let json = json!(vec![record; RECORDS]).to_string();
    println!("Masking");
    for (what, text) in [
        ("JSON in JSON", json!(json).to_string()),
        ("Base64", STANDARD.encode(&json)),
        ("JSON", json),
        ("prose", "The quick brown fox jumps over the lazy dog. ".repeat(4 * RECORDS)),
    ] {
        let began = Instant::now();
        mask.text(&text);
        let seconds = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
        let megabytes = text.len() as f64 / 1e6;
        println!("  {what:<14}{megabytes:>6.1} MB {:>6.0} MB/s", megabytes / seconds);
    }
    println!();
}
