//! Rules about the sources, checked by reading them: who imports whom, where `unsafe` may stand, what must not be called
//! while the program is frozen, and that what the documents promise is there.

mod imports;
mod repository;
mod source;
mod words;
