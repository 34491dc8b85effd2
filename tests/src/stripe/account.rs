//! The account: its objects, as Stripe shows them, and what happens to them.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

/// An answer that refuses: its status and its body.
pub(super) type Refused = (u16, Value);
/// What a call answers.
pub(super) type Answered = Result<Value, Refused>;
/// The fields of a call.
pub(super) type Fields = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) objects: BTreeMap<String, Value>,
    pub(super) events: Vec<Value>,
    pub(super) declines: bool,
    /// How many answers are still to be lost.
    pub(super) lost: usize,
    /// How many calls are still to fail.
    pub(super) failing: usize,
    /// What was answered under a key, and to what.
    pub(super) answered: BTreeMap<String, (String, Answered)>,
    made: usize,
}

pub(super) fn refuse(status: u16, kind: &str, message: &str) -> Refused {
    (status, json!({ "error": { "type": kind, "message": message } }))
}

fn declined() -> Refused {
    let error =
        json!({ "type": "card_error", "code": "card_declined", "message": "Your card was declined." });
    (402, json!({ "error": error }))
}

/// The amount of a price, and how many months it is for.
fn price(id: &str) -> (u64, i32) {
    match id {
        "price_pro" => (4_900, 1),
        "price_plus" => (14_900, 1),
        "price_max" => (49_900, 1),
        "price_pro_annual" => (49_000, 12),
        "price_plus_annual" => (149_000, 12),
        "price_max_annual" => (499_000, 12),
        other => panic!("no price {other}"),
    }
}

fn months_after(at: i64, months: i32) -> i64 {
    let at = Timestamp::from_second(at).expect("a time").to_zoned_datetime(TimeZone::UTC);
    at.checked_add(Span::new().months(months)).expect("a time").timestamp().as_second()
}

fn id_of(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

impl Account {
    pub(super) fn make(&mut self, prefix: &str, mut object: Value) -> Value {
        self.made += 1;
        object["id"] = json!(format!("{prefix}{:04}", self.made));
        self.objects.insert(id_of(&object), object.clone());
        object
    }

    pub(super) fn get(&self, id: &str) -> Answered {
        let missing = || refuse(404, "invalid_request_error", "No such object.");
        self.objects.get(id).cloned().ok_or_else(missing)
    }

    fn put(&mut self, object: &Value) {
        self.objects.insert(id_of(object), object.clone());
    }

    pub(super) fn tell(&mut self, kind: &str, object: &Value, now: i64) {
        self.made += 1;
        let id = format!("evt_{:04}", self.made);
        self.events.push(json!({ "id": id, "object": "event", "type": kind, "created": now,
                                 "data": { "object": object } }));
    }

    /// A subscription with what was asked to be shown whole.
    pub(super) fn expanded(&self, id: &str) -> Answered {
        let mut subscription = self.get(id)?;
        for part in ["latest_invoice", "schedule"] {
            if let Some(id) = subscription[part].as_str() {
                subscription[part] = self.get(id)?;
            }
        }
        Ok(subscription)
    }

    pub(super) fn pay_checkout(&mut self, session: &str, now: i64) -> String {
        let mut session = self.get(session).expect("a checkout");
        assert_eq!(session["status"], "open", "a page that is not open cannot be paid");
        let price_id = session["price"].as_str().expect("a price").to_owned();
        let trial_end = session["trial_end"].as_i64();
        let (_, months) = price(&price_id);
        let end = trial_end.unwrap_or_else(|| months_after(now, months));
        let item = json!({ "id": format!("si_{}", self.made), "price": { "id": price_id },
                           "current_period_start": now, "current_period_end": end });
        let subscription = json!({
            "object": "subscription", "customer": session["customer"], "cancel_at_period_end": false,
            "status": if trial_end.is_some() { "trialing" } else { "active" },
            "items": { "data": [item] }, "schedule": null, "latest_invoice": null,
            "metadata": session["subscription_metadata"], "anchor": now, "periods": 1
        });
        let subscription = id_of(&self.make("sub_", subscription));
        let off = session["percent_off"].as_f64().unwrap_or(0.0) as u64;
        let due = if trial_end.is_some() { 0 } else { price(&price_id).0 * (100 - off) / 100 };
        session["status"] = json!("complete");
        session["url"] = Value::Null;
        session["subscription"] = json!(subscription);
        self.put(&session);
        let shown = self.get(&subscription).expect("a subscription");
        self.tell("customer.subscription.created", &shown, now);
        self.bill(&subscription, due, now);
        self.tell("checkout.session.completed", &session, now);
        subscription
    }

    /// Writes an invoice and collects it; whether it was paid.
    fn bill(&mut self, subscription: &str, due: u64, now: i64) -> bool {
        let mut owner = self.get(subscription).expect("a subscription");
        let paid = due == 0 || !self.declines;
        let line =
            json!({ "pricing": { "price_details": { "price": owner["items"]["data"][0]["price"]["id"] } } });
        let invoice = self.make(
            "in_",
            json!({ "object": "invoice", "customer": owner["customer"], "currency": "usd", "created": now,
                    "status": if paid { "paid" } else { "open" }, "amount_due": due,
                    "amount_paid": if paid { due } else { 0 },
                    "hosted_invoice_url": "https://invoice.stripe.com/i/test",
                    "parent": { "subscription_details": { "subscription": subscription } },
                    "lines": { "data": [line] } }),
        );
        owner["latest_invoice"] = invoice["id"].clone();
        if !paid {
            owner["status"] = json!("past_due");
        }
        self.put(&owner);
        self.tell(if paid { "invoice.paid" } else { "invoice.payment_failed" }, &invoice, now);
        paid
    }

    pub(super) fn update(&mut self, id: &str, fields: &Fields, now: i64) -> Answered {
        let mut subscription = self.get(id)?;
        if subscription["status"] == "canceled" {
            return Err(refuse(400, "invalid_request_error", "A canceled subscription cannot be updated."));
        }
        if let Some(ends) = fields.get("cancel_at_period_end") {
            if !subscription["schedule"].is_null() {
                return Err(refuse(400, "invalid_request_error", "It is managed by a schedule."));
            }
            subscription["cancel_at_period_end"] = json!(ends == "true");
            self.put(&subscription);
        }
        if let Some(price_id) = fields.get("items[0][price]") {
            assert_eq!(fields["payment_behavior"], "error_if_incomplete");
            self.change_price(&mut subscription, price_id, now)?;
        }
        if fields.get("trial_end").is_some_and(|end| end == "now") && subscription["status"] == "trialing" {
            if self.declines {
                return Err(declined());
            }
            self.begin_paying(id, now);
        }
        let subscription = self.get(id)?;
        self.tell("customer.subscription.updated", &subscription, now);
        Ok(subscription)
    }

    fn change_price(&mut self, subscription: &mut Value, to: &str, now: i64) -> Result<(), Refused> {
        let item = &subscription["items"]["data"][0];
        let from = item["price"]["id"].as_str().expect("a price").to_owned();
        let number = |name: &str| item[name].as_i64().expect("a time");
        let (start, end) = (number("current_period_start"), number("current_period_end"));
        if from == to {
            return Ok(());
        }
        let (old, old_months) = price(&from);
        let (new, new_months) = price(to);
        let left = |amount: u64| {
            let (left, all) = (u64::try_from(end - now), u64::try_from(end - start));
            amount * left.expect("a time") / all.expect("a time")
        };
        let due = match (subscription["status"] == "trialing", old_months == new_months) {
            (true, _) => None,
            (false, true) => Some(left(new).saturating_sub(left(old))),
            (false, false) => Some(new.saturating_sub(left(old))),
        };
        if due.is_some_and(|due| due > 0) && self.declines {
            return Err(declined());
        }
        subscription["items"]["data"][0]["price"]["id"] = json!(to);
        if due.is_some() && old_months != new_months {
            begin_period(subscription, now, now, 1);
        }
        self.put(subscription);
        if let Some(due) = due {
            self.bill(&id_of(subscription), due, now);
        }
        Ok(())
    }

    /// A trial is over, and its plan is paid.
    fn begin_paying(&mut self, id: &str, now: i64) {
        let mut subscription = self.get(id).expect("a subscription");
        subscription["status"] = json!("active");
        begin_period(&mut subscription, now, now, 1);
        self.put(&subscription);
        self.bill(id, amount_of(&subscription), now);
    }

    pub(super) fn schedule(&mut self, subscription: &str) -> Answered {
        let mut owner = self.get(subscription)?;
        if !owner["schedule"].is_null() {
            return Err(refuse(400, "invalid_request_error", "It has a schedule already."));
        }
        let item = owner["items"]["data"][0].clone();
        let phase = json!({ "start_date": item["current_period_start"], "end_date": item["current_period_end"],
                            "items": [{ "price": item["price"]["id"] }] });
        let schedule = json!({ "object": "subscription_schedule", "status": "active",
                               "subscription": subscription, "phases": [phase] });
        let schedule = self.make("sub_sched_", schedule);
        owner["schedule"] = schedule["id"].clone();
        self.put(&owner);
        Ok(schedule)
    }

    pub(super) fn plan_phases(&mut self, id: &str, fields: &Fields) -> Answered {
        let mut schedule = self.get(id)?;
        if schedule["status"] != "active" {
            return Err(refuse(400, "invalid_request_error", "It is released."));
        }
        assert_eq!(fields["end_behavior"], "release");
        let number = |name: &str| fields[name].parse::<i64>().expect("a time");
        let (start, end) = (number("phases[0][start_date]"), number("phases[0][end_date]"));
        let first = json!({ "start_date": start, "end_date": end,
                            "items": [{ "price": fields["phases[0][items][0][price]"] }] });
        let next = &fields["phases[1][items][0][price]"];
        let second = json!({ "start_date": end, "end_date": months_after(end, price(next).1),
                             "items": [{ "price": next }] });
        schedule["phases"] = json!([first, second]);
        self.put(&schedule);
        Ok(schedule)
    }

    pub(super) fn release(&mut self, id: &str) -> Answered {
        let mut schedule = self.get(id)?;
        if schedule["status"] != "active" {
            return Err(refuse(400, "invalid_request_error", "It is released."));
        }
        schedule["status"] = json!("released");
        self.put(&schedule);
        let mut owner = self.get(schedule["subscription"].as_str().expect("an id"))?;
        owner["schedule"] = Value::Null;
        self.put(&owner);
        Ok(schedule)
    }

    pub(super) fn pay_intent(&mut self, id: &str, now: i64) {
        let mut intent = self.get(id).expect("a payment");
        let kind = match self.declines {
            true => "payment_intent.payment_failed",
            false => {
                intent["status"] = json!("succeeded");
                intent["amount_received"] = intent["amount"].clone();
                "payment_intent.succeeded"
            }
        };
        self.put(&intent);
        self.tell(kind, &intent, now);
    }

    pub(super) fn pass(&mut self, now: i64) {
        let ids: Vec<String> = self.objects.keys().filter(|id| id.starts_with("sub_0")).cloned().collect();
        for id in ids {
            while self.pass_one(&id, now) {}
        }
    }

    /// Ends a period of a subscription that is over by now; whether there was one.
    fn pass_one(&mut self, id: &str, now: i64) -> bool {
        let mut subscription = self.get(id).expect("a subscription");
        let end = subscription["items"]["data"][0]["current_period_end"].as_i64().expect("a time");
        if subscription["status"] == "canceled" || end > now {
            return false;
        }
        if subscription["cancel_at_period_end"] == true {
            subscription["status"] = json!("canceled");
            self.put(&subscription);
            self.tell("customer.subscription.deleted", &subscription, end);
            return false;
        }
        if subscription["status"] == "trialing" {
            self.begin_paying(id, end);
        } else {
            self.follow_schedule(&mut subscription, end);
            let (anchor, periods) = (subscription["anchor"].as_i64(), subscription["periods"].as_i64());
            let (anchor, periods) = (anchor.expect("a time"), periods.expect("a count"));
            let periods = if anchor == end { 1 } else { periods + 1 };
            begin_period(&mut subscription, anchor, end, periods);
            self.put(&subscription);
            self.bill(id, amount_of(&subscription), end);
        }
        let subscription = self.get(id).expect("a subscription");
        self.tell("customer.subscription.updated", &subscription, end);
        true
    }

    fn follow_schedule(&mut self, subscription: &mut Value, end: i64) {
        let Some(id) = subscription["schedule"].as_str().map(str::to_owned) else { return };
        let schedule = self.get(&id).expect("a schedule");
        let phases = schedule["phases"].as_array().expect("phases");
        match phases.iter().find(|phase| phase["start_date"].as_i64() == Some(end)) {
            Some(phase) => {
                let next = phase["items"][0]["price"].clone();
                let now = subscription["items"]["data"][0]["price"]["id"].clone();
                let months = |price_id: &Value| price(price_id.as_str().expect("a price")).1;
                if months(&next) != months(&now) {
                    subscription["anchor"] = json!(end);
                }
                subscription["items"]["data"][0]["price"]["id"] = next;
            }
            None => {
                self.release(&id).expect("a schedule that is not released");
                subscription["schedule"] = Value::Null;
            }
        }
    }

    pub(super) fn collect(&mut self, now: i64) {
        let open: Vec<Value> = self
            .objects
            .values()
            .filter(|it| it["object"] == "invoice" && it["status"] == "open")
            .cloned()
            .collect();
        for mut invoice in open {
            invoice["status"] = json!("paid");
            invoice["amount_paid"] = invoice["amount_due"].clone();
            self.put(&invoice);
            let owner = invoice["parent"]["subscription_details"]["subscription"].as_str().expect("an id");
            let mut owner = self.get(owner).expect("a subscription");
            owner["status"] = json!("active");
            self.put(&owner);
            self.tell("invoice.paid", &invoice, now);
            self.tell("customer.subscription.updated", &owner, now);
        }
    }
}

fn amount_of(subscription: &Value) -> u64 {
    price(subscription["items"]["data"][0]["price"]["id"].as_str().expect("a price")).0
}

/// The so-manieth period counted from `anchor`.
fn begin_period(subscription: &mut Value, anchor: i64, start: i64, periods: i64) {
    let item = &mut subscription["items"]["data"][0];
    let months = price(item["price"]["id"].as_str().expect("a price")).1;
    let count = i32::try_from(periods).expect("few periods");
    item["current_period_start"] = json!(start);
    item["current_period_end"] = json!(months_after(anchor, months * count));
    subscription["anchor"] = json!(anchor);
    subscription["periods"] = json!(periods);
}
