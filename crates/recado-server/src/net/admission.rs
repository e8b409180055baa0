//! How many connections there may be: in all, of one address, and in their handshake.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use recado_hub::limit_key;

/// Counts open connections.
#[derive(Clone)]
pub(crate) struct Admission {
    limits: Limits,
    open: Arc<Mutex<Open>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections in all.
    pub(crate) total: usize,
    /// Connections of one IPv4 address or IPv6 /64. A class of 200 behind one address, each with a chat,
    /// a calculator and a browser's six, fits.
    pub(crate) per_address: usize,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    refused: u64,
    /// Of those, how many were told when asked for the last time.
    told: u64,
}

/// A connection's place, given back when dropped.
pub(crate) struct Place {
    open: Arc<Mutex<Open>>,
    key: IpAddr,
}

impl Admission {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Arc::default(),
        }
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Place> {
        let key = limit_key(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&key).copied().unwrap_or(0);
        if open.total >= self.limits.total || here >= self.limits.per_address {
            open.refused += 1;
            return None;
        }
        open.total += 1;
        open.by_address.insert(key, here + 1);
        Some(Place {
            open: self.open.clone(),
            key,
        })
    }

    /// How many connections were refused since this was last asked.
    pub(crate) fn take_refused(&self) -> u64 {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let new = open.refused - open.told;
        open.told = open.refused;
        new
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total
    }

    /// How many connections were refused in all.
    pub(crate) fn refused(&self) -> u64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.refused
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(here) = open.by_address.get_mut(&self.key) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_in_all_and_given_back() {
        let admission = Admission::new(Limits {
            total: 3,
            per_address: 2,
        });
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = admission.admit(at("10.0.0.1")).unwrap();
        let _second = admission.admit(at("10.0.0.1")).unwrap();
        assert!(admission.admit(at("10.0.0.1")).is_none());
        let _third = admission.admit(at("2001:db8::1")).unwrap();
        assert!(admission.admit(at("10.0.0.2")).is_none());
        drop(first);
        assert!(admission.admit(at("10.0.0.1")).is_some());
        assert_eq!(admission.take_refused(), 2);
        assert_eq!(admission.take_refused(), 0);
        assert_eq!((admission.open(), admission.refused()), (2, 2));
    }
}
