//! Where debug information may lie apart from the program, from the environment. Read before any stop.

use std::env;
use std::path::{Path, PathBuf};

use crate::heap::DebugPlaces;

/// The usual places, those that a debugger on this system is told of, and what `debuginfod`'s client has brought. Nothing is
/// ever fetched from here.
pub(super) fn places() -> DebugPlaces {
    by(|name| Some(PathBuf::from(env::var_os(name)?)))
}

fn by(variable: impl Fn(&str) -> Option<PathBuf>) -> DebugPlaces {
    let mut places = DebugPlaces::default();
    let nix = variable("NIX_DEBUG_INFO_DIRS").unwrap_or_default();
    places.roots.extend(env::split_paths(&nix));
    let home = variable("HOME");
    let in_home = |path: &str| home.as_deref().map(|home: &Path| home.join(path));
    let caches = [
        variable("DEBUGINFOD_CACHE_PATH"),
        variable("XDG_CACHE_HOME").map(|cache| cache.join("debuginfod_client")),
        in_home(".cache/debuginfod_client"),
        in_home(".debuginfod_client_cache"),
    ];
    places.caches.extend(caches.into_iter().flatten());
    places.roots.retain(|path| path.is_absolute());
    places.caches.retain(|path| path.is_absolute());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_adds_places_and_nothing_relative() {
        let places = by(|name| {
            let value = match name {
                "HOME" => "/home/ada",
                "NIX_DEBUG_INFO_DIRS" => "/nix/debug:here",
                "DEBUGINFOD_CACHE_PATH" => "cache",
                _ => return None,
            };
            Some(value.into())
        });
        let roots = ["/usr/lib/debug", "/nix/debug"].map(PathBuf::from);
        assert_eq!(places.roots, roots);
        let caches = [
            "/home/ada/.cache/debuginfod_client",
            "/home/ada/.debuginfod_client_cache",
        ];
        assert_eq!(places.caches, caches.map(PathBuf::from));
    }
}
