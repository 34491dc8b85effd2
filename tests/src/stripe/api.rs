//! The HTTP side: keys, idempotency, and which call does what.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use reqwest::Url;
use serde_json::{Value, json};

use super::account::{Account, Answered, Fields, refuse};
use super::{STRIPE_KEY, StripeStandIn};

pub(super) fn router(stripe: StripeStandIn) -> Router {
    Router::new().fallback(answer).with_state(stripe)
}

async fn answer(
    State(stripe): State<StripeStandIn>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = stripe.now();
    let mut account = stripe.account();
    if account.failing > 0 {
        account.failing -= 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if text("authorization") != format!("Bearer {STRIPE_KEY}") || text("stripe-version").is_empty() {
        return told(&Err(refuse(401, "invalid_request_error", "Invalid API key or no version.")));
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    if method == Method::GET {
        return told(&read(&account, uri.path(), &fields(uri.query().unwrap_or_default())));
    }
    let (key, asked) = (text("idempotency-key").to_owned(), format!("{} {body}", uri.path()));
    if key.is_empty() {
        return told(&Err(refuse(400, "invalid_request_error", "A call without an idempotency key.")));
    }
    if let Some((before, answered)) = account.answered.get(&key) {
        if *before != asked {
            return told(&Err(refuse(
                400,
                "idempotency_error",
                "Keys can only be used with the same parameters.",
            )));
        }
        return told(answered);
    }
    let answered = write(&mut account, uri.path(), &fields(&body), now);
    account.answered.insert(key, (asked, answered.clone()));
    if account.lost > 0 {
        account.lost -= 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    told(&answered)
}

fn told(answered: &Answered) -> Response {
    match answered {
        Ok(object) => object.to_string().into_response(),
        Err((status, body)) => {
            let status = StatusCode::from_u16(*status).expect("a status");
            (status, body.to_string()).into_response()
        }
    }
}

fn fields(form: &str) -> Fields {
    let url: Url = format!("http://form/?{form}").parse().expect("a form");
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn read(account: &Account, path: &str, fields: &Fields) -> Answered {
    match path.split('/').skip(2).collect::<Vec<_>>()[..] {
        ["subscriptions", id] => account.expanded(id),
        ["invoices" | "payment_intents", id] | ["checkout", "sessions", id] => account.get(id),
        ["promotion_codes"] => {
            let is =
                |object: &&Value| object["object"] == "promotion_code" && object["code"] == fields["code"];
            let found: Vec<&Value> =
                account.objects.values().filter(is).filter(|object| object["active"] == true).collect();
            Ok(json!({ "object": "list", "data": found }))
        }
        _ => Err(refuse(404, "invalid_request_error", "Unrecognized request URL.")),
    }
}

fn write(account: &mut Account, path: &str, fields: &Fields, now: i64) -> Answered {
    match path.split('/').skip(2).collect::<Vec<_>>()[..] {
        ["customers"] => {
            let metadata = json!({ "tenant_id": fields["metadata[tenant_id]"] });
            Ok(account.make("cus_", json!({ "object": "customer", "metadata": metadata })))
        }
        ["checkout", "sessions"] => Ok(open_checkout(account, fields, now)),
        ["checkout", "sessions", id, "expire"] => {
            let mut session = account.get(id)?;
            if session["status"] != "open" {
                return Err(refuse(400, "invalid_request_error", "Only open sessions can be expired."));
            }
            session["status"] = json!("expired");
            session["url"] = Value::Null;
            account.objects.insert(id.to_owned(), session.clone());
            Ok(session)
        }
        ["subscriptions", id] => account.update(id, fields, now),
        ["subscription_schedules"] => account.schedule(&fields["from_subscription"]),
        ["subscription_schedules", id] => account.plan_phases(id, fields),
        ["subscription_schedules", id, "release"] => account.release(id),
        ["payment_intents"] => {
            let amount: u64 = fields["amount"].parse().expect("an amount");
            let metadata = json!({ "tenant_id": fields["metadata[tenant_id]"],
                                   "payg_microcredits": fields["metadata[payg_microcredits]"] });
            Ok(account.make(
                "pi_",
                json!({ "object": "payment_intent", "customer": fields["customer"], "amount": amount,
                        "amount_received": 0, "currency": fields["currency"], "created": now,
                        "status": "requires_payment_method", "client_secret": "pi_secret_of_the_stand_in",
                        "metadata": metadata }),
            ))
        }
        _ => Err(refuse(404, "invalid_request_error", "Unrecognized request URL.")),
    }
}

fn open_checkout(account: &mut Account, fields: &Fields, now: i64) -> Value {
    assert_eq!(fields["mode"], "subscription");
    let number = |name: &str| fields.get(name).map(|text| text.parse::<i64>().expect("a number"));
    let days = number("subscription_data[trial_period_days]");
    let trial_end = number("subscription_data[trial_end]").or(days.map(|days| now + days * 24 * 3600));
    let promotion = fields.get("discounts[0][promotion_code]").and_then(|id| account.objects.get(id));
    let percent_off = promotion.map_or(json!(0), |promotion| promotion["coupon"]["percent_off"].clone());
    let session = json!({ "object": "checkout.session", "status": "open", "customer": fields["customer"],
                          "price": fields["line_items[0][price]"], "trial_end": trial_end,
                          "percent_off": percent_off, "subscription": null,
                          "subscription_metadata": { "tenant_id": fields["subscription_data[metadata][tenant_id]"] },
                          "success_url": fields["success_url"], "cancel_url": fields["cancel_url"] });
    let mut session = account.make("cs_", session);
    session["url"] =
        json!(format!("https://checkout.stripe.com/c/pay/{}", session["id"].as_str().expect("an id")));
    account.objects.insert(session["id"].as_str().expect("an id").to_owned(), session.clone());
    session
}
