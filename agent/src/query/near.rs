//! Names like a name that nothing has, for hints.

/// How many to offer.
const MOST: usize = 3;

/// The names nearest to what was typed, nearest first: those that contain it, or differ in a third of its letters
/// or in one, which is too much of a name of one letter.
pub(crate) fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let wanted = typed.to_lowercase();
    let letters = wanted.chars().count();
    let allowed = (letters / 3).max(1).min(letters.saturating_sub(1));
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter()
        .take(MOST)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Insertions, deletions, substitutions and exchanges of neighbours that turn one into the other; one if it contains the
/// other.
fn distance(typed: &str, name: &str) -> usize {
    if typed.len() >= 3 && name.contains(typed) {
        return 1;
    }
    let typed: Vec<char> = typed.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in typed.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in name.iter().enumerate() {
            let substituted = row[j] + usize::from(a != b);
            let mut least = substituted.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == name[j - 1] && typed[i - 1] == *b {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first() {
        let names = || ["top", "growth", "sites", "CacheEntity", "Cache"].into_iter();
        assert_eq!(nearest("grwoth", names()), ["growth"]);
        assert_eq!(nearest("cacheentty", names()), ["CacheEntity"]);
        assert_eq!(nearest("cache", names()), ["Cache", "CacheEntity"]);
        assert_eq!(nearest("tpo", names()), ["top"]);
        assert!(nearest("xyzzy", names()).is_empty());
        assert!(nearest("X", ["P", "Q"].into_iter()).is_empty());
        assert_eq!(nearest("x", ["X", "Q"].into_iter()), ["X"]);
        assert!(nearest("Nope", ["Core", "Node<u8>"].into_iter()).is_empty());
    }
}
