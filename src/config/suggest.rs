//! The directive that a user may have meant.

use super::table::Field;

/// The known name nearest to `name`, unless it is too far away to be meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if name.len() > 64 {
        return None;
    }
    let names = Field::ALL.iter().flat_map(|field| field.directive().names());
    let (distance, nearest) =
        names.map(|known| (distance(name.as_bytes(), known.as_bytes()), known)).min()?;
    (distance <= 1 + name.len() / 5).then_some(nearest)
}

/// Insertions, deletions, replacements and swaps of neighbours between two names (the optimal
/// string alignment distance), O(product of the lengths).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut before = vec![0; to.len() + 1];
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replaced = previous[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replaced.min(previous[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_directive() {
        for (typo, meant) in [
            ("maxmemoryy", "maxmemory"),
            ("maxmemroy", "maxmemory"),
            ("Max-Memory", "maxmemory"),
            ("append-only", "appendonly"),
            ("tcp-keep-alive", "tcp-keepalive"),
            ("prot", "port"),
            ("hash-max-zipllst-entries", "hash-max-ziplist-entries"),
        ] {
            assert_eq!(nearest(typo), Some(meant), "{typo}");
        }
        assert_eq!(nearest("frobnicate"), None);
        assert_eq!(nearest(""), None);
    }
}
