//! Files from person to person: names, verification, whereabouts, and the fate of offers. Pure, like all of this
//! crate: what touches a disk or a socket is the client's.

mod candidates;
mod layout;
mod name;
mod offers;
mod tree;

pub use candidates::{Own, Reached, acceptable, own_candidates};
pub use layout::{Layout, LayoutError};
pub use name::{MAX_NAME, numbered, safe_name};
pub use offers::{
    About, FileCommand, OfferError, OfferEvent, OfferFailure, OfferKey, OfferOutput, OfferRecord,
    OfferState, Offers, Pause, Refusal, Route, Standing, Which,
};
pub use tree::{ChainingValue, GroupEnd, Tree, matching_groups};
