//! Signatures of our own forms, and what the senders publish about theirs.

mod vectors;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
// What others signed: `printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$WHSEC"`, and the reference library
// standardwebhooks 1.1.0 (PyPI) for the message msg_1 at 1790000000.
const OF_OPENSSL: &str = "c099c424a9b1b8577ee8ceb05d62525f1f2d35ba5d6aa8d4112de7885e36b37e";
const OF_LIBRARY: &str = "v1,qgFwkNsxPgj01ELEfb+IEvkojpshT6Rge/kjWY+t4vU=";
const WHSEC: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
const BODY: &[u8] = br#"{"order_id": "12345"}"#;

fn read(pairs: &[(&str, &str)]) -> Signed {
    let header = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    Signed::read(Sender::Generic, header, "/hook")
}

fn check(pairs: &[(&str, &str)], body: &[u8]) -> Result<(), Wrong> {
    read(pairs).check(&[WHSEC.to_owned().into()], body, NOW).map(drop)
}

fn hmac(key: &str, text: &str) -> String {
    hex(&MacKind::Sha256.of(KeyForm::Text, &key.to_owned().into(), text.as_bytes()).unwrap())
}

fn standard(id: &str, at: &str, body: &str) -> String {
    let text = format!("{id}.{at}.{body}");
    let mac = MacKind::Sha256.of(KeyForm::Base64, &WHSEC.to_owned().into(), text.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.unwrap()))
}

fn body() -> String {
    String::from_utf8(BODY.to_vec()).unwrap()
}

#[test]
fn what_others_signed_is_accepted() {
    let own = format!("sha256={OF_OPENSSL}");
    assert_eq!(check(&[("x-agentruntime-signature", &own)], BODY), Ok(()));
    let standard =
        [("webhook-id", "msg_1"), ("webhook-timestamp", "1790000000"), ("webhook-signature", OF_LIBRARY)];
    assert_eq!(check(&standard, BODY), Ok(()));
}

#[test]
fn the_whole_secret_signs_the_bytes_of_the_body() {
    let good = format!("sha256={}", hmac(WHSEC, &body()));
    assert_eq!(check(&[("x-agentruntime-signature", &good)], BODY), Ok(()));
    let upper = format!("sha256={}", hmac(WHSEC, &body()).to_uppercase());
    assert_eq!(check(&[("x-agentruntime-signature", &upper)], BODY), Ok(()));
    let again_serialised = br#"{"order_id":"12345"}"#;
    let wrong = Err(Wrong::Signature);
    assert_eq!(check(&[("x-agentruntime-signature", &good)], again_serialised), wrong);
    let other = format!("sha256={}", hmac("whsec_other", &body()));
    assert_eq!(check(&[("x-agentruntime-signature", &other)], BODY), wrong);
    // The byte `03`, written as no digits are.
    let signed = format!("sha256={}", "+3".repeat(32));
    for none in ["", "sha256=", "sha1=00", &good[7..], &good[..70], "sha256=zz", &format!("{good}0"), &signed]
    {
        assert_eq!(check(&[("x-agentruntime-signature", none)], BODY), Err(Wrong::Missing), "{none}");
    }
    assert_eq!(check(&[], BODY), Err(Wrong::Missing));
}

#[test]
fn a_timestamp_is_signed_with_the_body_and_must_be_of_now() {
    let with = |at: &str, signed_at: &str| {
        let good = format!("sha256={}", hmac(WHSEC, &format!("{signed_at}.{}", body())));
        check(&[("x-agentruntime-signature", &good), ("x-agentruntime-timestamp", at)], BODY)
    };
    for at in ["1790000000", "1789999700", "1790000300"] {
        assert_eq!(with(at, at), Ok(()), "{at}");
    }
    for at in ["1789999699", "1790000301", "0", "", "-1", "+1790000000", "1790000000.0", "now"] {
        assert_eq!(with(at, at), Err(Wrong::Time), "{at}");
    }
    assert_eq!(with("1790000001", "1790000000"), Err(Wrong::Signature));
    let bare = format!("sha256={}", hmac(WHSEC, &body()));
    let stripped =
        check(&[("x-agentruntime-signature", &bare), ("x-agentruntime-timestamp", "1790000000")], BODY);
    assert_eq!(stripped, Err(Wrong::Signature));
}

#[test]
fn the_headers_of_standard_webhooks_sign_with_the_bytes_behind_the_prefix() {
    let at = "1790000000";
    let good = standard("msg_1", at, &body());
    let send = |id: &str, at: &str, signatures: &str| {
        let headers = [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signatures)];
        check(&headers, BODY)
    };
    assert_eq!(send("msg_1", at, &good), Ok(()));
    let among = format!("v1,AAAA v1a,{} v2,x {good}", &good[3..]);
    assert_eq!(send("msg_1", at, &among), Ok(()));
    assert_eq!(send("msg_2", at, &good), Err(Wrong::Signature));
    assert_eq!(send("msg_1", "1790000001", &good), Err(Wrong::Signature));
    let old = standard("msg_1", "1789999699", &body());
    assert_eq!(send("msg_1", "1789999699", &old), Err(Wrong::Time));
    assert_eq!(send("msg_1", at, &good[3..]), Err(Wrong::Missing));
    let late = std::iter::repeat_n("v1,AAAA", 10).chain([good.as_str()]).collect::<Vec<_>>().join(" ");
    assert_eq!(send("msg_1", at, &late), Err(Wrong::Signature), "the eleventh is not looked at");
}

#[test]
fn a_secret_that_is_no_key_of_standard_webhooks_is_told_from_a_wrong_signature() {
    let good = standard("msg_1", "1790000000", &body());
    let headers =
        [("webhook-id", "msg_1"), ("webhook-timestamp", "1790000000"), ("webhook-signature", good.as_str())];
    let check = |secrets: &[&str]| {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
        read(&headers).check(&secrets, BODY, NOW).map(drop)
    };
    assert_eq!(check(&[WHSEC.strip_prefix("whsec_").unwrap()]), Ok(()));
    assert_eq!(check(&["It's a Secret to Everybody"]), Err(Wrong::Secret));
    assert_eq!(check(&["It's a Secret to Everybody", "b3RoZXI="]), Err(Wrong::Signature));
    assert_eq!(check(&["It's a Secret to Everybody", WHSEC]), Ok(()));
}

#[test]
fn every_valid_secret_counts() {
    let good = format!("sha256={}", hmac(WHSEC, &body()));
    let signed = read(&[("x-agentruntime-signature", &good)]);
    let other: SecretString = "whsec_other".to_owned().into();
    assert!(signed.check(&[other.clone(), WHSEC.to_owned().into()], BODY, NOW).is_ok());
    assert_eq!(signed.check(&[other], BODY, NOW), Err(Wrong::Signature));
    assert_eq!(signed.check(&[], BODY, NOW), Err(Wrong::Signature));
}
