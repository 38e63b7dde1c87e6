//! `resolve`: shortens paths as far as they stay unambiguous among those seen. Pure.

use std::collections::HashMap;

use super::paths::{last_segment, map_paths};

/// The paths seen so far.
#[derive(Debug, Default)]
pub(super) struct Shortener {
    /// The whole path that each shorter form stands for.
    meant: HashMap<String, String>,
}

impl Shortener {
    /// A type with its paths shortened. The first path of a name keeps its shortest form; later ones give way.
    pub(super) fn shorten(&mut self, full: &str) -> String {
        map_paths(full, |path| self.shorten_path(path))
    }

    fn shorten_path(&mut self, path: &str) -> String {
        let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty()).collect();
        for kept in 1..parts.len() {
            let short = parts[parts.len() - kept..].join("::");
            let speaks = !last_segment(&short).starts_with('{') || kept > 1;
            if speaks
                && self
                    .meant
                    .entry(short.clone())
                    .or_insert_with(|| path.to_string())
                    == path
            {
                return short;
            }
        }
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_shrink_until_another_would_be_meant() {
        let mut shortener = Shortener::default();
        assert_eq!(shortener.shorten("Arc<demo::cache::Entity>"), "Arc<Entity>");
        assert_eq!(
            shortener.shorten("Vec<demo::store::Entity>"),
            "Vec<store::Entity>"
        );
        assert_eq!(shortener.shorten("Arc<demo::cache::Entity>"), "Arc<Entity>");
        assert_eq!(
            shortener.shorten("HashMap<String, u64>"),
            "HashMap<String, u64>"
        );
    }

    #[test]
    fn what_is_no_path_stays() {
        let mut shortener = Shortener::default();
        assert_eq!(
            shortener.shorten("Box<closure at src/pool.rs:42>"),
            "Box<closure at src/pool.rs:42>"
        );
        assert_eq!(shortener.shorten("task demo::net::serve"), "task serve");
        assert_eq!(
            shortener.shorten("Box<closure in a::run::{closure}>"),
            "Box<closure in run::{closure}>"
        );
    }
}
