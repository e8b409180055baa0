//! The decisions of recado's client: sending, receiving, the datagram link. Pure: it owns no socket,
//! task, clock or database.
//!
//! An [`Engine`] exists once the server has welcomed the session. It takes frames, datagrams, commands and the
//! passing of time, and gives [`Output`]s. Time is a [`Duration`](std::time::Duration) since any fixed
//! moment of a monotonic clock.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod engine;
mod event;
mod global_log;
mod link;
mod measurement;

pub use engine::{Engine, EngineConfig, Output, Sign, WelcomeError};
pub use event::{
    Command, CommandError, Event, Failure, LinkMeasurement, LinkReport, LinkState, Receipt, State,
    Via,
};
