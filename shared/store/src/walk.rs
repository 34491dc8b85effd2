//! Lists of which a filter keeps some rows: page by page, at most so many rows a request.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::item::Item;
use super::keys::Key;
use super::{Store, StoreError};

/// How many rows one request looks at when a filter leaves few of them.
const MOST_EXAMINED: usize = 1000;
/// How many rows the queries after the first one bring.
const WIDER: usize = 200;

/// Rows and where to go on.
#[derive(Debug)]
pub struct Listed<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// The place of the last row looked at, when there may be more.
    pub next: Option<String>,
}

/// What one query brought.
#[derive(Debug)]
pub(super) struct Rows<P, T> {
    /// With their places in the list.
    pub(super) rows: Vec<(P, T)>,
    /// Whether the list ends here. A page may also be short because its rows are large.
    pub(super) is_last: bool,
}

/// A walk through a list.
#[derive(Debug)]
pub(super) struct Walk<P, T, K> {
    limit: usize,
    keep: K,
    kept: Vec<T>,
    examined: usize,
    place: Option<P>,
}

impl<P: ToString, T, K: Fn(&T) -> bool> Walk<P, T, K> {
    /// Begins after this place, for so many rows that fulfil `keep`.
    pub(super) fn new(limit: usize, place: Option<P>, keep: K) -> Self {
        Self { limit, keep, kept: Vec::new(), examined: 0, place }
    }

    /// The last row looked at.
    pub(super) fn place(&self) -> Option<&P> {
        self.place.as_ref()
    }

    /// How many rows to ask for.
    pub(super) fn page_size(&self) -> i32 {
        // Without a filter the first query brings what is asked for; a filter widens the ones after it.
        let size = if self.examined == 0 { self.limit + 1 } else { WIDER };
        i32::try_from(size).unwrap_or(i32::MAX)
    }

    /// Looks at the next rows; what the walk came to if it ends here.
    pub(super) fn take(&mut self, page: Rows<P, T>) -> Option<Listed<T>> {
        self.examined += page.rows.len();
        for (place, row) in page.rows {
            if self.kept.len() == self.limit {
                return Some(self.end(true));
            }
            self.place = Some(place);
            if (self.keep)(&row) {
                self.kept.push(row);
            }
        }
        (page.is_last || self.examined >= MOST_EXAMINED).then(|| self.end(!page.is_last))
    }

    fn end(&mut self, more: bool) -> Listed<T> {
        let next = self.place.as_ref().filter(|_| more).map(ToString::to_string);
        Listed { rows: std::mem::take(&mut self.kept), next }
    }
}

impl Store {
    /// Walks through the rows that this query finds, newest first; with a rare filter there may be fewer than the
    /// walk's limit and still more to come.
    pub(super) async fn walk<P: ToString, T>(
        &self,
        rows: QueryFluentBuilder,
        mut walk: Walk<P, T, impl Fn(&T) -> bool>,
        key: impl Fn(&P) -> Key,
        read: impl Fn(Item) -> Result<(P, T), StoreError>,
    ) -> Result<Listed<T>, StoreError> {
        let rows = rows.table_name(&self.table).scan_index_forward(false);
        loop {
            let query = rows.clone().set_exclusive_start_key(walk.place().map(|at| key(at).into_map()));
            let page = self.send(query.limit(walk.page_size())).await?;
            let is_last = page.last_evaluated_key.is_none();
            let rows = page.items.unwrap_or_default().into_iter().map(&read);
            if let Some(listed) = walk.take(Rows { rows: rows.collect::<Result<_, _>>()?, is_last }) {
                return Ok(listed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query of the numbers 1 to `length`, after `place`.
    fn query(length: usize, place: Option<&usize>, size: i32) -> Rows<usize, usize> {
        let rest = place.map_or(0, |place| *place)..length;
        let size = usize::try_from(size).unwrap_or(0);
        let rows: Vec<_> = rest.take(size).map(|n| (n + 1, n + 1)).collect();
        Rows { is_last: rows.len() < size, rows }
    }

    /// Every page of a list for this `limit`, by its cursors.
    fn pages(length: usize, limit: usize, keep: impl Fn(&usize) -> bool + Copy) -> Vec<Vec<usize>> {
        let (mut pages, mut cursor) = (Vec::new(), None);
        loop {
            let mut walk = Walk::new(limit, cursor, keep);
            let mut queries = 0;
            let listed = loop {
                queries += 1;
                let page = query(length, walk.place(), walk.page_size());
                if let Some(listed) = walk.take(page) {
                    break listed;
                }
            };
            assert!(queries <= 6, "{queries} queries in one request");
            pages.push(listed.rows);
            let Some(next) = listed.next else { return pages };
            cursor = next.parse().ok();
        }
    }

    #[test]
    fn without_a_filter_pages_are_full_and_the_last_one_knows_that_it_is() {
        assert_eq!(pages(5, 2, |_| true), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(pages(4, 2, |_| true), [vec![1, 2], vec![3, 4]]);
        assert_eq!(pages(0, 2, |_| true), [Vec::<usize>::new()]);
    }

    #[test]
    fn a_rare_filter_loses_nothing_in_requests_that_end() {
        for limit in [1, 3, 100] {
            for nth in [2, 7, 199, 200, 201, 1500] {
                let all = pages(3000, limit, |n| n.is_multiple_of(nth));
                assert!(all.iter().all(|page| page.len() <= limit));
                let expected: Vec<_> = (1..=3000_usize).filter(|n| n.is_multiple_of(nth)).collect();
                assert_eq!(all.concat(), expected, "one of {nth}, {limit} a page");
            }
        }
    }
}
