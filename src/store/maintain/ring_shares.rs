//! The rows that leave a full ring of rejected requests.
//!
//! The endpoint with the most goes first, of it the network with the most, and of that the oldest row, so that a flood pushes out itself.
//! Near misses are what an operator has to see, so they go last, as long as they take no more than half of the ring: a captured request
//! can be sent again and again.

use std::collections::HashMap;

/// Limits of the ring: rows, and bytes on the disk.
pub(super) const MAX_ROWS: usize = 1_000;
pub(super) const MAX_BYTES: usize = 8 << 20;

/// The page size of both databases' files, within a factor of two.
const PAGE: usize = 4 << 10;

/// A stored row.
#[derive(Clone, Debug)]
pub(super) struct StoredRow {
    pub(super) id: i64,
    pub(super) endpoint: (String, String),
    pub(super) network: String,
    pub(super) is_near_miss: bool,
    /// Bytes of its values.
    pub(super) bytes: usize,
}

impl StoredRow {
    /// Upper bound of its bytes on the disk: its own pages, and one that it shares.
    fn size(&self) -> usize {
        self.bytes.next_multiple_of(PAGE) + PAGE
    }
}

/// Ids of the rows to delete. `rows` are in the order of their ids.
pub(super) fn surplus(mut rows: Vec<StoredRow>) -> Vec<i64> {
    let mut deleted = Vec::new();
    while rows.len() > MAX_ROWS || total(&rows, |_| true) > MAX_BYTES {
        let Some(place) = next(&rows) else { break };
        deleted.push(rows.remove(place).id);
    }
    deleted
}

fn total(rows: &[StoredRow], is_counted: impl Fn(&StoredRow) -> bool) -> usize {
    rows.iter().filter(|row| is_counted(row)).map(StoredRow::size).sum()
}

/// The place of the next row to delete.
fn next(rows: &[StoredRow]) -> Option<usize> {
    let near_misses = rows.iter().filter(|row| row.is_near_miss).count();
    let are_spared = near_misses <= MAX_ROWS / 2 && total(rows, |row| row.is_near_miss) <= MAX_BYTES / 2;
    let may_go = |row: &&StoredRow| !(are_spared && row.is_near_miss);
    let endpoint = with_most(rows.iter().filter(may_go), |row| &row.endpoint)?;
    let of_endpoint = |row: &&StoredRow| may_go(row) && row.endpoint == *endpoint;
    let network = with_most(rows.iter().filter(of_endpoint), |row| &row.network)?;
    rows.iter().position(|row| of_endpoint(&row) && row.network == *network)
}

/// The key whose rows take the most room; among equals the one with the oldest row.
fn with_most<'r, K: std::hash::Hash + Eq>(
    rows: impl Iterator<Item = &'r StoredRow>,
    key: impl Fn(&'r StoredRow) -> &'r K,
) -> Option<&'r K> {
    let mut sizes: HashMap<&K, (usize, std::cmp::Reverse<i64>)> = HashMap::new();
    for row in rows {
        sizes.entry(key(row)).or_insert((0, std::cmp::Reverse(row.id))).0 += row.size();
    }
    sizes.into_iter().max_by_key(|(_, size)| *size).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, provider: &str, network: &str, is_near_miss: bool, bytes: usize) -> StoredRow {
        let endpoint = (provider.to_owned(), "default".to_owned());
        StoredRow { id, endpoint, network: network.to_owned(), is_near_miss, bytes }
    }

    fn many(first: i64, count: i64, provider: &str, network: &str) -> impl Iterator<Item = StoredRow> {
        (first..first + count).map(move |id| row(id, provider, network, false, 100))
    }

    #[test]
    fn flood_of_one_network_pushes_out_itself() {
        let honest = row(0, "twilio", "198.51.100.0/24", false, 1_000);
        let rows = std::iter::once(honest).chain(many(1, 1_020, "twilio", "203.0.113.0/24")).collect();
        assert_eq!(surplus(rows), (1..=21).collect::<Vec<_>>());
    }

    #[test]
    fn flood_of_many_networks_spares_other_endpoints() {
        let flood = (100..1_200).map(|id| row(id, "twilio", &format!("10.0.{id}.0/24"), false, 100));
        let rows = many(0, 10, "resend", "198.51.100.0/24").chain(flood).collect();
        assert_eq!(surplus(rows), (100..210).collect::<Vec<_>>(), "the oldest of the flood");
    }

    #[test]
    fn near_misses_go_last_until_they_take_half() {
        let misses = (0..100).map(|id| row(id, "twilio", "203.0.113.0/24", true, 1_000));
        let rows = misses.chain(many(100, 950, "twilio", "198.51.100.0/24")).collect();
        assert_eq!(surplus(rows), (100..150).collect::<Vec<_>>());
        let misses = (0..900).map(|id| row(id, "twilio", "203.0.113.0/24", true, 1_000));
        let rows = misses.chain(many(900, 150, "twilio", "198.51.100.0/24")).collect();
        assert_eq!(surplus(rows), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn ring_is_bounded_by_bytes() {
        let rows: Vec<StoredRow> = (0..100).map(|id| row(id, "twilio", "", true, 256 << 10)).collect();
        let deleted = surplus(rows.clone());
        assert_eq!(deleted, (0..69).collect::<Vec<_>>());
        assert!(total(&rows[69..], |_| true) <= MAX_BYTES);
    }
}
