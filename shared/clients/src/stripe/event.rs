//! Events, as far as they are read: what has happened, and to what. What became of it is asked for, not read here.

use serde::Deserialize;
use serde_json::Value;

/// An event.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: Value,
}

/// To what it has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventObject<'a> {
    /// A subscription, or a page on which one was paid.
    Subscription(&'a str),
    /// An invoice.
    Invoice(&'a str),
    /// A payment of credits.
    Payment(&'a str),
    /// Something that is of no concern.
    Other,
}

impl Event {
    /// The object's id, by its kind.
    pub fn object(&self) -> EventObject<'_> {
        let text = |name: &str| self.data.object[name].as_str();
        let found = match self.kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                text("subscription").map(EventObject::Subscription)
            }
            kind if kind.starts_with("customer.subscription.") => text("id").map(EventObject::Subscription),
            "invoice.paid" | "invoice.payment_succeeded" | "invoice.payment_failed" => {
                text("id").map(EventObject::Invoice)
            }
            "payment_intent.succeeded" | "payment_intent.payment_failed" => {
                text("id").map(EventObject::Payment)
            }
            _ => None,
        };
        found.filter(EventObject::is_id).unwrap_or(EventObject::Other)
    }

    /// Whose it is, as the event says.
    pub fn customer(&self) -> Option<&str> {
        let customer = &self.data.object["customer"];
        customer.as_str().or_else(|| customer["id"].as_str())
    }
}

impl EventObject<'_> {
    /// An id becomes a part of a path.
    fn is_id(&self) -> bool {
        let (Self::Subscription(id) | Self::Invoice(id) | Self::Payment(id)) = self else { return true };
        !id.is_empty()
            && id.len() <= 255
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, object: &Value) -> Event {
        serde_json::from_value(json!({ "id": "evt_1", "type": kind, "data": { "object": object } })).unwrap()
    }

    #[test]
    fn an_event_names_what_it_is_about() {
        let session = json!({ "id": "cs_1", "subscription": "sub_1", "customer": "cus_1" });
        let completed = event("checkout.session.completed", &session);
        assert_eq!(completed.object(), EventObject::Subscription("sub_1"));
        assert_eq!(completed.customer(), Some("cus_1"));
        let deleted =
            event("customer.subscription.deleted", &json!({ "id": "sub_2", "customer": { "id": "cus_2" } }));
        assert_eq!(
            (deleted.object(), deleted.customer()),
            (EventObject::Subscription("sub_2"), Some("cus_2"))
        );
        assert_eq!(event("invoice.paid", &json!({ "id": "in_1" })).object(), EventObject::Invoice("in_1"));
        let paid = event("payment_intent.succeeded", &json!({ "id": "pi_1" }));
        assert_eq!(paid.object(), EventObject::Payment("pi_1"));
    }

    #[test]
    fn what_is_unknown_or_no_id_is_of_no_concern() {
        for (kind, object) in [
            ("charge.refunded", json!({ "id": "ch_1" })),
            ("invoice.paid", json!({ "id": "../customers" })),
            ("invoice.paid", json!({ "id": 7 })),
            ("checkout.session.completed", json!({ "id": "cs_1", "subscription": null })),
        ] {
            assert_eq!(event(kind, &object).object(), EventObject::Other, "{kind}");
        }
    }
}
