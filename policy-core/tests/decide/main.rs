//! What the engine decides and explains, and the wire form it reads.

mod building;
mod explain;
mod isolation;
mod laws;
mod outside;
mod ports;
mod requests;
mod sides;
mod wire;
mod world;
