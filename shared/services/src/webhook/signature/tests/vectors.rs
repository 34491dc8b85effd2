//! Signatures that others made, word for word: those that senders publish in their documentation or their libraries'
//! tests, and for senders that publish none, what Python's `hmac` makes of their documented scheme:
//! `hmac.new(secret, text, hashlib.sha256)`.

use super::super::*;

/// A published or computed example of a sender's.
struct Vector {
    sender: Sender,
    secret: &'static str,
    headers: &'static [(&'static str, &'static str)],
    target: &'static str,
    body: &'static str,
    /// When it was signed, if that is signed.
    at: i64,
}

// docs.github.com, Validating webhook deliveries, Testing the webhook payload validation.
const GITHUB: Vector = Vector {
    sender: Sender::Github,
    secret: "It's a Secret to Everybody",
    headers: &[(
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    )],
    target: "/hook",
    body: "Hello, World!",
    at: 0,
};

// docs.slack.dev, Verifying requests from Slack.
const SLACK: Vector = Vector {
    sender: Sender::Slack,
    secret: "8f742231b10e8888abcd99yyyzzz85a5",
    headers: &[
        ("x-slack-request-timestamp", "1531420618"),
        ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ("content-type", "application/x-www-form-urlencoded"),
    ],
    target: "/hook",
    body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
           &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
           &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
           &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    at: 1_531_420_618,
};

// The tests of Twilio's own libraries; the same example is in www.twilio.com/docs/usage/security.
const TWILIO_FORM: Vector = Vector {
    sender: Sender::Twilio,
    secret: "12345",
    headers: &[
        ("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("host", "mycompany.com"),
        ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
    ],
    target: "/myapp.php?foo=1&bar=2",
    body: "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
    at: 0,
};
const TWILIO_JSON: Vector = Vector {
    sender: Sender::Twilio,
    secret: "12345",
    headers: &[
        ("x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4="),
        ("host", "mycompany.com"),
        ("content-type", "application/json"),
    ],
    target: "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
    body: r#"{"property": "value", "boolean": true}"#,
    at: 0,
};

// github.com/standard-webhooks, the example of the specification and of the libraries' tests.
const STANDARD_WEBHOOKS: Vector = Vector {
    sender: Sender::Generic,
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    headers: &[
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ],
    target: "/hook",
    body: r#"{"test": 2432232314}"#,
    at: 1_614_265_330,
};

// By Python's `hmac`, from here on.
const SDK: Vector = Vector {
    sender: Sender::Generic,
    secret: "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
    headers: &[(
        "x-agentruntime-signature",
        "t=1790000000,v1=191164dd9f830c171657c91bb915aee4710df3ef14e7225fe24e7e6b4ea13e8a",
    )],
    target: "/hook",
    body: r#"{"order_id": "12345"}"#,
    at: 1_790_000_000,
};
const STRIPE: Vector = Vector {
    sender: Sender::Stripe,
    secret: "whsec_test_9f86d081884c7d659a2feaa0c55ad015",
    headers: &[(
        "stripe-signature",
        "t=1790000000,v1=56f271bfcb4ea49a68afba63cdfa2b8b16199c1a83b61a5bc8f1941b0aa2070c,\
         v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
    )],
    target: "/hook",
    body: "{\n  \"id\": \"evt_1NG8Du2eZvKYlo2CUI79vXWy\",\n  \"object\": \"event\",\n  \"type\": \"customer.created\"\n}",
    at: 1_790_000_000,
};
const SHOPIFY: Vector = Vector {
    sender: Sender::Shopify,
    secret: "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",
    headers: &[("x-shopify-hmac-sha256", "yH+AC6Uzlo42lXFFkaU1olSNUT0KJJdl/ZXezH7POdU=")],
    target: "/hook",
    body: r#"{"id":820982911946154508,"email":"jon@example.com"}"#,
    at: 0,
};

const ALL: [&Vector; 8] =
    [&GITHUB, &SLACK, &TWILIO_FORM, &TWILIO_JSON, &STANDARD_WEBHOOKS, &SDK, &STRIPE, &SHOPIFY];

impl Vector {
    fn check_with(
        &self,
        change: impl Fn(&str, &str) -> String,
        body: &str,
        at: i64,
    ) -> Result<Proven, Wrong> {
        let headers: Vec<(&str, String)> =
            self.headers.iter().map(|(name, value)| (*name, change(name, value))).collect();
        let header =
            |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        let now = Timestamp::from_millis(at * 1000);
        let secrets = ["another secret".to_owned().into(), self.secret.to_owned().into()];
        Signed::read(self.sender, header, self.target).check(&secrets, body.as_bytes(), now)
    }

    fn check(&self) -> Result<Proven, Wrong> {
        self.check_with(|_, value| value.to_owned(), self.body, self.at)
    }

    /// The name of the header with the signature.
    fn signature(&self) -> &'static str {
        let mut named = self.headers.iter().map(|(name, _)| *name);
        named.find(|name| name.contains("signature") || name.contains("hmac")).unwrap()
    }
}

#[test]
fn what_each_sender_signed_is_accepted() {
    for vector in ALL {
        assert!(vector.check().is_ok(), "{:?} {}", vector.sender, vector.target);
    }
}

#[test]
fn what_is_not_as_it_was_signed_is_refused() {
    for vector in ALL {
        let what = vector.sender;
        let same = |_: &str, value: &str| value.to_owned();
        let longer = format!("{}&x=1", vector.body);
        assert_eq!(vector.check_with(same, &longer, vector.at), Err(Wrong::Signature), "{what:?}");
        assert_eq!(vector.check_with(same, "", vector.at), Err(Wrong::Signature), "{what:?}");
        let flipped = |name: &str, value: &str| match name == vector.signature() {
            // Some character in the middle of the first signature.
            true => {
                let at = value.rfind(['=', ',']).filter(|at| at + 9 < value.len()).map_or(8, |at| at + 9);
                let other = if value.as_bytes()[at] == b'a' { "b" } else { "a" };
                format!("{}{other}{}", &value[..at], &value[at + 1..])
            }
            false => value.to_owned(),
        };
        if what != Sender::Stripe {
            let refused = vector.check_with(flipped, vector.body, vector.at);
            assert_eq!(refused, Err(Wrong::Signature), "{what:?}");
        }
        let absent = |name: &str, value: &str| match name == vector.signature() {
            true => String::new(),
            false => value.to_owned(),
        };
        assert_eq!(vector.check_with(absent, vector.body, vector.at), Err(Wrong::Missing), "{what:?}");
    }
}

#[test]
fn signed_times_hold_for_300_seconds() {
    let same = |_: &str, value: &str| value.to_owned();
    for vector in ALL {
        let at = |seconds: i64| vector.check_with(same, vector.body, vector.at + seconds);
        let is_timed = vector.at != 0;
        for seconds in [-300, 300] {
            assert!(at(seconds).is_ok() || vector.at + seconds < 0, "{:?}", vector.sender);
        }
        for seconds in [-301, 301] {
            assert_eq!(at(seconds).err(), is_timed.then_some(Wrong::Time), "{:?}", vector.sender);
        }
    }
}

#[test]
fn one_good_signature_of_several_is_enough() {
    let (time, good) = SDK.headers[0].1.split_once(',').unwrap();
    let zeros = "0".repeat(64);
    let send = |header: &str| SDK.check_with(|_, _| header.to_owned(), SDK.body, SDK.at).err();
    for header in [
        format!("{time},v1={zeros},{good}"),
        format!("{time},{good},v1={zeros}"),
        format!("{good},{time}"),
        format!("{time}, {good}, v0={zeros}, x"),
        format!("{time},{}", good.to_uppercase().replace("V1=", "v1=")),
    ] {
        assert_eq!(send(&header), None, "{header}");
    }
    for (header, wrong) in [
        (format!("{time},v1={zeros}"), Wrong::Signature),
        (format!("{time},v0={}", &good[3..]), Wrong::Missing),
        (format!("{time},v1={}", &good[4..]), Wrong::Missing),
        (format!("{time},{time},{good}"), Wrong::Time),
        (format!("{time},t=1790000001,{good}"), Wrong::Time),
        (good.to_owned(), Wrong::Time),
        (format!("t=,{good}"), Wrong::Time),
        (format!("t=+1790000000,{good}"), Wrong::Time),
        (format!("t=1790000001,{good}"), Wrong::Signature),
        (time.to_owned(), Wrong::Missing),
        ("v1".to_owned(), Wrong::Missing),
    ] {
        assert_eq!(send(&header), Some(wrong), "{header}");
    }
    // The eleventh is not looked at.
    let many = format!("{time},{}{good}", format!("v1={zeros},").repeat(10));
    assert_eq!(send(&many), Some(Wrong::Signature));
}

#[test]
fn a_digest_is_the_same_for_all_deliveries_of_a_signature() {
    let digest = |change: &dyn Fn(&str, &str) -> String, body: &str| {
        TWILIO_FORM.check_with(change, body, 0).unwrap().digest
    };
    let same = |_: &str, value: &str| value.to_owned();
    let reordered =
        "To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2b14158675309&Digits=1234&From=%2B14158675309";
    assert_eq!(digest(&same, TWILIO_FORM.body), digest(&same, reordered));
    // A proxy may have put the port there.
    let with_port =
        |name: &str, value: &str| if name == "host" { format!("{value}:443") } else { value.to_owned() };
    assert_eq!(digest(&same, TWILIO_FORM.body), digest(&with_port, TWILIO_FORM.body));
    assert_ne!(digest(&same, TWILIO_FORM.body), GITHUB.check().unwrap().digest);
}

#[test]
fn each_sender_signs_in_its_own_way_only() {
    for vector in ALL {
        for other in ALL.iter().filter(|other| other.sender != vector.sender) {
            let mixed = Vector { sender: other.sender, ..*vector };
            assert_eq!(mixed.check(), Err(Wrong::Missing), "{:?} as {:?}", vector.sender, other.sender);
        }
    }
}
