//! The same program built, packed and taken apart in the ways there are: `resolve` must answer alike about all of them, or say
//! what it lacks.
#![expect(clippy::unwrap_used, reason = "a test")]

mod answers;
mod compressed;
mod make;
mod partial;
mod separate;
mod split;
