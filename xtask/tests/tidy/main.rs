//! Rules about the source tree that no compiler checks.

mod dependencies;
mod reference;
mod sizes;
mod sources;
mod text;
