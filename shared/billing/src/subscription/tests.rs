use std::time::Duration;

use super::*;
use crate::plans::{Catalog, Product};
use crate::{Bucket, Microcredits};
use types::clock::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().expect("a day")
}

/// The catalog, with a free plan that grants something.
fn product() -> Product {
    let text = include_str!("../../../../plans.yaml");
    let text = text.replacen("included_microcredits: 0 }", "included_microcredits: 1000 }", 1);
    Catalog::of_yaml(&text).expect("a catalog").product("agentruntime").expect("a product").clone()
}

fn acme() -> Standing {
    Standing::none("acme".parse().expect("a slug"))
}

/// An active subscription of this plan for these days, whose newest invoice is paid.
fn seen<'a>(product: &'a Product, plan: &str, (start, end): (&str, &str)) -> Observed<'a> {
    Observed {
        id: "sub_1",
        state: ProviderState::Active,
        plan: product.plan(plan).expect("a plan"),
        period: Period { start: at(start), end: at(end) },
        cancel_at_period_end: false,
        next_plan: None,
        invoice: InvoiceState::Paid,
    }
}

const NOVEMBER: (&str, &str) = ("2026-11-01", "2026-12-01");
const DECEMBER: (&str, &str) = ("2026-12-01", "2027-01-01");

/// Bucket and amount of what was posted since the last time; nothing is granted for a lapse.
fn posted(standing: &mut Standing) -> Vec<(Bucket, Option<u64>)> {
    let postings = std::mem::take(&mut standing.postings);
    postings.into_iter().map(|it| (it.bucket, it.grant.map(|Microcredits(amount)| amount))).collect()
}

const PRO: Option<u64> = Some(50_000_000);
const PLUS: Option<u64> = Some(160_000_000);

#[test]
fn a_trial_is_granted_once_and_ends_by_itself() {
    let (product, mut acme, begin) = (product(), acme(), at("2026-11-01"));
    let pro = product.plan("pro").expect("a plan");
    acme.begin_trial(pro, begin).expect("a trial");
    let grant = acme.postings[0].clone();
    assert_eq!((grant.cause.as_str(), grant.expires_at), ("trial/acme", Some(at("2026-11-15"))));
    assert_eq!(posted(&mut acme), [(Bucket::Trial, Some(5_000_000))]);
    assert_eq!(acme.begin_trial(pro, begin), Err(Refusal::TrialUsed));
    assert_eq!(acme.next_look(&product), Some(at("2026-11-15")));
    assert_eq!(status(&acme, at("2026-11-14")), (Status::Trialing, Some("pro")));
    acme.pass(&product, at("2026-11-20"));
    assert_eq!(acme.trial.as_ref().and_then(|trial| trial.ended_at), Some(at("2026-11-15")));
    // Its credits had their end from the beginning.
    assert_eq!(posted(&mut acme), []);
    assert_eq!(status(&acme, at("2026-11-20")), (Status::None, None));
    assert_eq!(acme.next_look(&product), None);
    assert_eq!(acme.begin_trial(pro, at("2026-11-20")), Err(Refusal::TrialUsed));
}

#[test]
fn paying_ends_a_trial_and_what_is_left_of_its_credits_lapses_once() {
    let (product, mut acme) = (product(), acme());
    acme.begin_trial(product.plan("pro").expect("a plan"), at("2026-11-01")).expect("a trial");
    posted(&mut acme);
    for _ in 0..2 {
        acme.observe(&product, &seen(&product, "pro", ("2026-11-05", "2026-12-05")), at("2026-11-05"));
    }
    assert_eq!(posted(&mut acme), [(Bucket::Trial, None), (Bucket::Included, PRO)]);
    assert_eq!(status(&acme, at("2026-11-05")), (Status::Active, Some("pro")));
}

#[test]
fn a_trial_that_began_with_a_checkout_is_known_from_the_provider() {
    let (product, mut acme) = (product(), acme());
    let trialing =
        Observed { state: ProviderState::Trialing, ..seen(&product, "pro", ("2026-11-01", "2026-11-15")) };
    for _ in 0..2 {
        acme.observe(&product, &trialing, at("2026-11-01"));
    }
    assert_eq!(posted(&mut acme), [(Bucket::Trial, Some(5_000_000))]);
    assert_eq!(acme.begin_trial(trialing.plan, at("2026-11-02")), Err(Refusal::TrialUsed));
    acme.observe(&product, &seen(&product, "pro", ("2026-11-15", "2026-12-15")), at("2026-11-15"));
    // Exactly at its end its credits have lapsed.
    assert_eq!(posted(&mut acme), [(Bucket::Included, PRO)]);
}

#[test]
fn each_period_is_granted_once_and_what_is_left_of_the_one_before_lapses() {
    let (product, mut acme) = (product(), acme());
    let november = seen(&product, "pro", NOVEMBER);
    acme.observe(&product, &november, at("2026-11-01"));
    let cause = acme.postings[0].cause.clone();
    assert_eq!(posted(&mut acme), [(Bucket::Included, PRO)]);
    assert_eq!(acme.next_look(&product), Some(at("2026-12-01")));
    let december = seen(&product, "pro", DECEMBER);
    for _ in 0..2 {
        acme.observe(&product, &december, at("2026-12-01"));
    }
    assert_ne!(acme.postings[1].cause, cause);
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, PRO)]);
}

#[test]
fn a_period_that_is_not_paid_yet_leaves_the_old_credits_and_one_that_failed_does_not() {
    let (product, mut acme) = (product(), acme());
    acme.observe(&product, &seen(&product, "pro", NOVEMBER), at("2026-11-01"));
    posted(&mut acme);
    let now = at("2026-12-01");
    let unpaid = Observed { invoice: InvoiceState::Unpaid, ..seen(&product, "pro", DECEMBER) };
    acme.observe(&product, &unpaid, now);
    assert_eq!(posted(&mut acme), []);
    assert!(!acme.must_ask(now) && acme.must_ask(now.plus(HOUR)));
    let failed = Observed { state: ProviderState::PastDue, ..unpaid };
    for _ in 0..2 {
        acme.observe(&product, &failed, now.plus(HOUR));
    }
    assert_eq!(posted(&mut acme), [(Bucket::Included, None)]);
    assert_eq!(status(&acme, now).0, Status::PastDue);
    // Paid after all: what is left of the period is granted.
    acme.observe(&product, &seen(&product, "pro", DECEMBER), at("2026-12-03"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, PRO)]);
}

#[test]
fn an_upgrade_grants_the_difference_for_what_is_left_and_going_back_and_forth_grants_nothing() {
    let (product, mut acme) = (product(), acme());
    acme.observe(&product, &seen(&product, "pro", NOVEMBER), at("2026-11-01"));
    posted(&mut acme);
    let now = at("2026-11-16");
    acme.observe(&product, &seen(&product, "plus", NOVEMBER), now);
    // Half of the month is left: half of 160 − 50 credits.
    assert_eq!(posted(&mut acme), [(Bucket::Included, Some(55_000_000))]);
    for plan in ["plus", "pro", "plus", "pro"] {
        acme.observe(&product, &seen(&product, plan, NOVEMBER), now);
    }
    assert_eq!(posted(&mut acme), []);
    acme.observe(&product, &seen(&product, "plus", DECEMBER), at("2026-12-01"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, PLUS)]);
}

#[test]
fn an_upgrade_that_is_not_paid_grants_nothing() {
    let (product, mut acme) = (product(), acme());
    acme.observe(&product, &seen(&product, "pro", NOVEMBER), at("2026-11-01"));
    posted(&mut acme);
    let unpaid = Observed { invoice: InvoiceState::Unpaid, ..seen(&product, "max", NOVEMBER) };
    acme.observe(&product, &unpaid, at("2026-11-16"));
    assert_eq!(posted(&mut acme), []);
}

#[test]
fn a_year_is_granted_month_by_month_without_asking_and_late_sweeps_grant_the_present_one() {
    let (product, mut acme) = (product(), acme());
    let year = seen(&product, "pro_annual", ("2026-01-31", "2027-01-31"));
    acme.observe(&product, &year, at("2026-01-31"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, PRO)]);
    assert_eq!(acme.next_look(&product), Some(at("2026-02-28")));
    for day in ["2026-02-28", "2026-03-31"] {
        assert!(!acme.must_ask(at(day)));
        for _ in 0..2 {
            acme.pass(&product, at(day));
        }
        assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, PRO)], "{day}");
    }
    // Nobody looked for months.
    acme.pass(&product, at("2026-11-10"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, PRO)]);
    assert_eq!(acme.next_look(&product), Some(at("2026-11-30")));
    // The year's end is the provider's to tell.
    acme.pass(&product, at("2026-12-31"));
    posted(&mut acme);
    acme.pass(&product, at("2027-01-31"));
    assert_eq!(posted(&mut acme), []);
    assert!(acme.must_ask(at("2027-01-31")));
}

#[test]
fn the_free_plan_is_granted_month_by_month_and_gives_way_to_a_paid_one() {
    let (product, mut acme) = (product(), acme());
    let free = product.plan("free").expect("a plan");
    for _ in 0..2 {
        acme.begin_free(free, at("2026-11-01")).expect("a plan");
    }
    assert_eq!(posted(&mut acme), [(Bucket::Included, Some(1_000))]);
    assert_eq!(status(&acme, at("2026-11-01")), (Status::Active, Some("free")));
    acme.pass(&product, at("2027-02-10"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, Some(1_000))]);
    assert_eq!(acme.next_look(&product), Some(at("2027-03-01")));
    acme.observe(&product, &seen(&product, "pro", ("2027-02-10", "2027-03-10")), at("2027-02-10"));
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, PRO)]);
    assert_eq!(acme.begin_free(free, at("2027-02-11")), Err(Refusal::Subscribed));
}

#[test]
fn a_subscription_that_ends_takes_its_credits_with_it_and_may_become_the_free_plan() {
    let product = product();
    for becomes_free in [false, true] {
        let mut acme = acme();
        acme.observe(&product, &seen(&product, "pro", NOVEMBER), at("2026-11-01"));
        posted(&mut acme);
        if becomes_free {
            acme.paid.as_mut().expect("a plan").next_plan = Some("free".to_owned());
        }
        let ending = Observed { cancel_at_period_end: true, ..seen(&product, "pro", NOVEMBER) };
        acme.observe(&product, &ending, at("2026-11-10"));
        assert_eq!(status(&acme, at("2026-11-10")), (Status::Canceling, Some("pro")));
        let ended = Observed { state: ProviderState::Ended, ..ending };
        for _ in 0..2 {
            assert_eq!(acme.observe(&product, &ended, at("2026-12-01")), Seen::Taken);
        }
        if becomes_free {
            assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, Some(1_000))]);
            assert_eq!(status(&acme, at("2026-12-01")), (Status::Active, Some("free")));
        } else {
            assert_eq!(posted(&mut acme), [(Bucket::Included, None)]);
            assert_eq!(status(&acme, at("2026-12-01")), (Status::Canceled, Some("pro")));
            assert_eq!(acme.next_look(&product), None);
        }
    }
}

#[test]
fn another_subscription_changes_nothing_while_one_goes_on() {
    let (product, mut acme) = (product(), acme());
    let ended = Observed { state: ProviderState::Ended, ..seen(&product, "pro", NOVEMBER) };
    assert_eq!(acme.observe(&product, &ended, at("2026-11-01")), Seen::Unrelated);
    acme.observe(&product, &seen(&product, "pro", NOVEMBER), at("2026-11-01"));
    posted(&mut acme);
    let before = acme.clone();
    for state in [ProviderState::Active, ProviderState::Ended, ProviderState::Incomplete] {
        let other = Observed { id: "sub_2", state, ..seen(&product, "max", NOVEMBER) };
        assert_eq!(acme.observe(&product, &other, at("2026-11-02")), Seen::Unrelated);
        assert_eq!(acme, before);
    }
    // When the first is over another may begin.
    acme.observe(&product, &ended, at("2026-11-03"));
    let next = Observed { id: "sub_2", ..seen(&product, "max", ("2026-11-03", "2026-12-03")) };
    assert_eq!(acme.observe(&product, &next, at("2026-11-03")), Seen::Taken);
    assert_eq!(posted(&mut acme), [(Bucket::Included, None), (Bucket::Included, Some(600_000_000))]);
}

#[test]
fn a_row_of_an_earlier_release_is_read() {
    let row = serde_json::json!({ "tenant_id": "acme", "revision": 3, "updated_at": "2026-11-01T00:00:00Z" });
    let read: Standing = serde_json::from_value(row).expect("a standing");
    assert_eq!(Standing { revision: 0, updated_at: Timestamp::from_millis(0), ..read }, acme());
    let row = serde_json::json!({ "tenant_id": "acme", "revision": 3, "updated_at": "2026-11-01T00:00:00Z",
                                  "free": { "plan_code": "free", "since": "2026-11-01T00:00:00Z" } });
    let read: Standing = serde_json::from_value(row).expect("a standing");
    assert_eq!(read.free().map(|free| free.plan_code.as_str()), Some("free"));
}
