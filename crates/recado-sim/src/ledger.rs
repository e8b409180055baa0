//! Who got how much from the server without having proved that it listens.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use recado_hub::SessionNumber;

/// What one address sent and got, in bytes of UDP payload.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Account {
    /// In datagrams that opened.
    pub received: u64,
    /// To it, while no session's path was confirmed there.
    pub sent_unconfirmed: u64,
    /// To it in all.
    pub sent: u64,
}

/// The books of all addresses, kept beside the server's own.
#[derive(Default, Debug)]
pub struct Ledger {
    accounts: BTreeMap<SocketAddr, Account>,
    confirmed: BTreeMap<SessionNumber, SocketAddr>,
    exceeded: Vec<(SocketAddr, Account)>,
}

impl Ledger {
    /// A datagram from there has opened.
    pub fn received(&mut self, from: SocketAddr, bytes: usize) {
        self.accounts.entry(from).or_default().received += bytes as u64;
    }

    /// The server has said that the session's path is confirmed there, or nowhere.
    pub fn path(&mut self, session: SessionNumber, confirmed: Option<SocketAddr>) {
        match confirmed {
            Some(address) => self.confirmed.insert(session, address),
            None => self.confirmed.remove(&session),
        };
    }

    /// The server has sent a datagram there.
    pub fn sent(&mut self, to: SocketAddr, bytes: usize) {
        let confirmed = self.confirmed.values().any(|address| *address == to);
        let account = self.accounts.entry(to).or_default();
        account.sent += bytes as u64;
        if !confirmed {
            account.sent_unconfirmed += bytes as u64;
            if account.sent_unconfirmed > 3 * account.received {
                self.exceeded.push((to, *account));
            }
        }
    }

    /// What an address sent and got.
    pub fn account(&self, address: SocketAddr) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    /// Every moment at which an address had got more than three times what it sent, unconfirmed.
    pub fn exceeded(&self) -> &[(SocketAddr, Account)] {
        &self.exceeded
    }

    /// How many addresses there are in the books.
    pub fn addresses(&self) -> usize {
        self.accounts.len()
    }
}
