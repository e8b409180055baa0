//! recado from end to end: the real binary, real sockets on free ports, folders of its own, and no sleeps.
//! One test program, so that the harness is built and linked once.

mod common;

mod acme;
mod admin;
mod bots;
mod calculator;
mod campaign;
mod certificates;
mod class;
mod command_line;
mod curl;
mod doctor;
mod doctor_faults;
mod endings;
mod events;
mod failing_disk;
mod files;
mod files_disturbed;
mod finding;
mod full_screen;
mod hostile_peers;
mod hostile_text;
mod invites;
mod lossy;
mod mail;
mod moving;
mod names;
mod operating;
mod package;
mod page;
mod ports;
mod rough_link;
mod schemathesis;
mod secrecy;
mod service;
mod serving;
mod settings;
mod size;
mod terminal;
mod tickets;
mod transcript;
mod trust;
mod vouching;
mod wire;
