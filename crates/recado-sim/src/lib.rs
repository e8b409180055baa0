//! Stories of many people and one server, told in virtual time: the real [`Hub`](recado_hub::Hub) and
//! [`Shard`](recado_hub::Shard), the real [`Client`](recado_engine::Client)s with real keys, and between them a network
//! that loses, doubles, delays, reorders, corrupts and blocks as a seed says. For tests only.
//!
//! Nothing here sleeps, reads a clock or draws from the system: the same seed tells the same story. A [`World`] is told
//! what people do, runs for a while, and is asked what each of them has seen. Its [`Link`] also serves by itself, for
//! the packets of real processes.

pub mod check;
mod client;
mod database;
mod ledger;
mod link;
mod random;
mod server;
mod story;
mod stream;
mod world;

pub use client::{Shown, StateChange};
pub use ledger::{Account, Ledger};
pub use link::{Link, LinkModel};
pub use random::Random;
pub use stream::StreamModel;
pub use world::{Said, World, WorldConfig};
