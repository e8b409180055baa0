//! The decisions of recado's client: sending, receiving, the datagram link. Pure: it owns no socket,
//! task, clock or database.
//!
//! A [`Client`] lives as long as the process, through any number of sessions. It takes welcomes, frames, datagrams,
//! commands, what was entered, what was committed, and the passing of time, and gives [`Output`]s. Time is a
//! [`Duration`](std::time::Duration) since any fixed moment of a monotonic clock.

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

mod client;
mod engine;
mod event;
pub mod files;
mod global_log;
pub mod groups;
mod lasting;
mod link;
mod liveness;
mod mail;
mod measurement;

pub use client::{Client, ENTRIES_AHEAD, Output};
pub use engine::WelcomeError;
pub use event::{
    Command, CommandError, Event, Failure, LinkMeasurement, LinkReport, LinkState, State, Via,
    WaitReason, check_name, check_text,
};
pub use lasting::{ClientConfig, Sign};
pub use mail::{
    Answer, Arrival, Arrived, Entry, IncomingState, Kind, MailState, Numbered, OutgoingLane,
    PackageFault, Receipt, Received, Sealed, Write,
};
