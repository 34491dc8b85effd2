use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn used(total: u64) -> Used {
    Used { total: Microcredits(total), free: Microcredits(0) }
}

fn left(account: &Account, total: u64) -> (u64, u64, u64) {
    let balance = account.balance(used(total), at(0));
    (balance.trial.0, balance.included.0, balance.payg.0)
}

#[test]
fn buckets_are_used_in_their_order_whatever_the_order_of_grants() {
    let mut account = Account::default();
    for (bucket, amount) in [(Bucket::Payg, 30), (Bucket::Trial, 10), (Bucket::Included, 20)] {
        account.add(bucket, Microcredits(amount), None);
    }
    assert_eq!(left(&account, 0), (10, 20, 30));
    assert_eq!(left(&account, 9), (1, 20, 30));
    assert_eq!(left(&account, 11), (0, 19, 30));
    assert_eq!(left(&account, 31), (0, 0, 29));
    assert_eq!(left(&account, 61), (0, 0, 0));
}

#[test]
fn what_is_used_of_a_bucket_stays_used_when_an_earlier_one_is_filled() {
    let mut account = Account::default();
    account.add(Bucket::Payg, Microcredits(30), None);
    account.settle(used(10));
    account.add(Bucket::Included, Microcredits(5), None);
    assert_eq!(left(&account, 10), (0, 5, 20));
    assert_eq!(left(&account, 16), (0, 0, 19));
}

#[test]
fn of_one_bucket_what_ends_first_is_used_first() {
    let mut account = Account::default();
    account.add(Bucket::Included, Microcredits(1), None);
    account.add(Bucket::Included, Microcredits(2), Some(at(20)));
    account.add(Bucket::Included, Microcredits(4), Some(at(10)));
    account.settle(used(5));
    assert_eq!(account.lapse_expired(at(10)), [], "all of it was used");
    let lapsed = Lapsed { bucket: Bucket::Included, expired: at(20), left: Microcredits(1) };
    assert_eq!(account.lapse_expired(at(20)), [lapsed]);
    assert_eq!(left(&account, 5), (0, 1, 0));
}

#[test]
fn what_has_ended_is_no_balance_before_it_is_entered() {
    let mut account = Account::default();
    account.add(Bucket::Trial, Microcredits(5), Some(at(10)));
    account.add(Bucket::Payg, Microcredits(7), None);
    assert_eq!(account.balance(used(2), at(9)).total(), Microcredits(10));
    assert_eq!(account.balance(used(2), at(10)).total(), Microcredits(7));
}

#[test]
fn what_was_used_beyond_all_grants_is_taken_from_the_next_unless_it_was_free() {
    let mut account = Account::default();
    account.add(Bucket::Trial, Microcredits(5), None);
    account.settle(used(8));
    assert_eq!(account.owed, Microcredits(3));
    account.add(Bucket::Payg, Microcredits(2), None);
    assert_eq!((account.owed, account.balance(used(8), at(0)).total()), (Microcredits(1), Microcredits(0)));
    account.add(Bucket::Payg, Microcredits(10), None);
    assert_eq!((account.owed, account.balance(used(8), at(0)).total()), (Microcredits(0), Microcredits(9)));

    let free = Used { total: Microcredits(108), free: Microcredits(100) };
    account.settle(free);
    assert_eq!(account.owed, Microcredits(0));
    account.add(Bucket::Payg, Microcredits(10), None);
    assert_eq!(account.balance(free, at(0)).payg, Microcredits(10));
}

#[derive(Debug, Clone)]
enum Act {
    Grant(usize, u64, Option<i64>),
    Use(u64),
    Withdraw(usize),
    Wait(i64),
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..3_usize, 1..50_u64, proptest::option::of(1..20_i64)).prop_map(|(b, n, e)| Act::Grant(b, n, e)),
        5 => (0..40_u64).prop_map(Act::Use),
        1 => (0..3_usize).prop_map(Act::Withdraw),
        2 => (0..8_i64).prop_map(Act::Wait),
        1 => Just(Act::Look),
    ]
}

/// Each microcredit by itself, taken when it is used.
#[derive(Default)]
struct Purse {
    credits: Vec<(usize, Option<i64>)>,
    owed: u64,
}

impl Purse {
    fn take(&mut self) {
        let key = |(bucket, end): (usize, Option<i64>)| (bucket, end.is_none(), end);
        let first = (0..self.credits.len()).min_by_key(|place| key(self.credits[*place]));
        match first {
            Some(place) => drop(self.credits.swap_remove(place)),
            None => self.owed += 1,
        }
    }

    fn give(&mut self, bucket: usize, end: Option<i64>) {
        match self.owed {
            0 => self.credits.push((bucket, end)),
            _ => self.owed -= 1,
        }
    }
}

proptest! {
    #[test]
    fn an_account_is_as_if_each_microcredit_were_taken_by_itself(acts in proptest::collection::vec(act(), 0..40)) {
        let (mut account, mut purse) = (Account::default(), Purse::default());
        let (mut total, mut now) = (0, 0);
        for act in acts {
            match act {
                Act::Grant(bucket, amount, end) => {
                    let end = end.map(|end| now + end);
                    account.settle(used(total));
                    account.add(Bucket::ALL[bucket], Microcredits(amount), end.map(at));
                    (0..amount).for_each(|_| purse.give(bucket, end));
                }
                Act::Use(amount) => {
                    total += amount;
                    (0..amount).for_each(|_| purse.take());
                }
                Act::Withdraw(bucket) => {
                    account.settle(used(total));
                    let gone = account.withdraw(Bucket::ALL[bucket]).0;
                    let before = purse.credits.len() as u64;
                    purse.credits.retain(|(of, _)| *of != bucket);
                    prop_assert_eq!(gone, before - purse.credits.len() as u64);
                }
                Act::Wait(seconds) => {
                    now += seconds;
                    account.settle(used(total));
                    account.lapse_expired(at(now));
                    purse.credits.retain(|(_, end)| end.is_none_or(|end| end > now));
                }
                Act::Look => account.settle(used(total)),
            }
            let balance = account.balance(used(total), at(now));
            for (place, bucket) in Bucket::ALL.into_iter().enumerate() {
                let left = purse.credits.iter().filter(|(of, _)| *of == place).count() as u64;
                prop_assert_eq!(balance.of(bucket), Microcredits(left));
            }
            prop_assert_eq!(balance.owed, Microcredits(purse.owed));
        }
    }
}
