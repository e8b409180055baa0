//! The service seen from outside: real connections in memory, a real client.

mod batches;
mod calculations;
mod connections;
mod description;
mod harness;
mod rates;
mod resources;
