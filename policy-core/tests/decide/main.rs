//! What the engine decides and explains, and the wire form it reads.

mod engine;
mod explain;
mod laws;
mod wire;
mod world;
