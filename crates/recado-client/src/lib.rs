//! recado's client library: where a server is, whether it is trusted, who one is there, and sessions with it.
//! It prints nothing and asks nobody: it returns errors, notices and events, and whoever uses it finds
//! the words.
//!
//! A chat goes through [`trust::decide`], [`identity::Identity::open`] and [`session::Session::open`], in this
//! order; a calculation through [`trust::decide`] and [`https::HttpsClient`].

pub mod address;
pub mod connect;
pub mod files;
pub mod history;
pub mod home;
pub mod https;
pub mod identity;
pub mod names;
pub mod session;
pub mod trust;

pub use recado_engine::files::{
    About, FileCommand, OfferEvent, OfferFailure, OfferRecord, OfferState, Pause, Refusal, Route,
    Standing as OfferStanding, Which,
};
pub use recado_engine::{
    Command, CommandError, Event, Failure, LinkMeasurement, LinkReport, LinkState, Receipt, State,
    Via, WaitReason, check_name, check_text,
};
