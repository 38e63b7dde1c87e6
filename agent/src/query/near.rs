//! Names like a name that nothing has, for hints.

/// How many to offer.
const MOST: usize = 3;

/// The names nearest to what was typed, nearest first: those that contain it, or differ in no more than a third of it.
pub(crate) fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let wanted = typed.to_lowercase();
    let allowed = wanted.chars().count() / 3 + 1;
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

/// Insertions, deletions and substitutions that turn one into the other (Levenshtein); one if it contains the other.
fn distance(typed: &str, name: &str) -> usize {
    if typed.len() >= 3 && name.contains(typed) {
        return 1;
    }
    let name: Vec<char> = name.chars().collect();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in typed.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in name.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
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
        assert!(nearest("xyzzy", names()).is_empty());
    }
}
