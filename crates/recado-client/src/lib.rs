#![doc = include_str!("../README.md")]

pub mod address;
pub mod connect;
pub mod discovery;
pub mod e2e;
pub mod files;
pub mod history;
pub mod home;
pub mod https;
pub mod identity;
pub mod names;
pub mod session;
mod system;
pub mod trust;

/// What client and server share: names and their rules, ids and keys, the frames of the wire, and the sanitiser of texts.
pub use recado_proto as proto;

pub use recado_engine::files::{
    About, FileCommand, OfferEvent, OfferFailure, OfferRecord, OfferState, Pause, Refusal, Route,
    Standing as OfferStanding, Which,
};
pub use recado_engine::{
    Command, CommandError, Event, Failure, LinkMeasurement, LinkReport, LinkState, PackageFault,
    Receipt, State, Via, WaitReason, check_name, check_text,
};
