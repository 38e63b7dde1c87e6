//! End-to-end tests, one binary: the demo server under a real terminal, and rules about the sources.

mod rules;
