//! Who is kept out, as the hub remembers it between an answer of the backend and the next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use recado_proto::id::RemoteKey;
use recado_proto::name::NameKeys;

use crate::operator::{Ban, Banned, Mute};

/// Bans and mutes.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    keys: BTreeMap<RemoteKey, Ban>,
    /// By case-mapped form; with all its forms, since what looks like a name that is banned is banned too.
    names: BTreeMap<String, (Ban, NameKeys)>,
    networks: BTreeMap<IpNet, Ban>,
    mutes: BTreeMap<RemoteKey, Mute>,
}

impl Policy {
    pub(crate) fn ban(&mut self, ban: Ban) {
        match &ban.banned {
            Banned::Key(person) => {
                self.keys.insert(person.key, ban);
            }
            Banned::Name(name) => {
                let keys = NameKeys::of(name);
                self.names.insert(keys.folded.clone(), (ban, keys));
            }
            Banned::Network(network) => {
                self.networks.insert(*network, ban);
            }
        }
    }

    pub(crate) fn unban(&mut self, banned: &Banned) {
        match banned {
            Banned::Key(person) => {
                self.keys.remove(&person.key);
            }
            Banned::Name(name) => {
                self.names.remove(&NameKeys::of(name).folded);
            }
            Banned::Network(network) => {
                self.networks.remove(network);
            }
        }
    }

    pub(crate) fn mute(&mut self, mute: Mute) {
        self.mutes.insert(mute.person.key, mute);
    }

    pub(crate) fn unmute(&mut self, key: &RemoteKey) {
        self.mutes.remove(key);
    }

    /// The key has no name any more.
    pub(crate) fn forget_name(&mut self, key: &RemoteKey) {
        if let Some(ban) = self.keys.get_mut(key)
            && let Banned::Key(person) = &mut ban.banned
        {
            person.name.clear();
        }
        if let Some(mute) = self.mutes.get_mut(key) {
            mute.person.name.clear();
        }
    }

    /// The key has this name.
    pub(crate) fn learn_name(&mut self, key: &RemoteKey, name: &str) {
        if let Some(mute) = self.mutes.get_mut(key)
            && mute.person.name.is_empty()
        {
            name.clone_into(&mut mute.person.name);
        }
    }

    pub(crate) fn is_muted(&self, key: &RemoteKey) -> bool {
        self.mutes.contains_key(key)
    }

    pub(crate) fn is_key_banned(&self, key: &RemoteKey) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether someone is kept out: whatever they are called.
    pub(crate) fn keeps_out(&self, key: &RemoteKey, address: IpAddr) -> bool {
        self.is_key_banned(key) || self.is_address_banned(address)
    }

    /// Whether nobody is to have a name.
    pub(crate) fn is_name_banned(&self, keys: &NameKeys) -> bool {
        let mut names = self.names.values();
        names.any(|(_, banned)| banned.collides(keys))
    }

    fn is_address_banned(&self, address: IpAddr) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let address = address.to_canonical();
        let longest = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        // However many are banned, there are only so many that an address can be in.
        (0..=longest).any(|length| {
            let network = IpNet::new(address, length);
            network.is_ok_and(|network| self.networks.contains_key(&network.trunc()))
        })
    }

    pub(crate) fn bans(&self) -> Vec<Ban> {
        let names = self.names.values().map(|(ban, _)| ban);
        let keys = self.keys.values();
        let all = keys.chain(names).chain(self.networks.values());
        all.cloned().collect()
    }

    pub(crate) fn mutes(&self) -> Vec<Mute> {
        self.mutes.values().cloned().collect()
    }

    pub(crate) fn muted_keys(&self) -> BTreeSet<RemoteKey> {
        self.mutes.keys().copied().collect()
    }

    pub(crate) fn banned_keys(&self) -> BTreeSet<RemoteKey> {
        self.keys.keys().copied().collect()
    }

    pub(crate) fn count_bans(&self) -> u64 {
        let names = self.names.len();
        let count = self.keys.len().saturating_add(names);
        count.saturating_add(self.networks.len()) as u64
    }

    pub(crate) fn count_mutes(&self) -> u64 {
        self.mutes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::name::Name;

    use super::*;

    fn ban(banned: Banned) -> Ban {
        Ban { banned, since: 0 }
    }

    #[test]
    fn networks_hold_addresses_of_both_families_however_they_are_written() {
        let mut policy = Policy::default();
        for network in [
            "192.0.2.0/24",
            "198.51.100.7/32",
            "2001:db8::/48",
            "::1/128",
        ] {
            policy.ban(ban(Banned::Network(network.parse().unwrap())));
        }
        let holds = |text: &str| policy.is_address_banned(text.parse().unwrap());
        for inside in [
            "192.0.2.255",
            "::ffff:192.0.2.1",
            "198.51.100.7",
            "2001:db8:0:ffff::1",
            "::1",
        ] {
            assert!(holds(inside), "{inside}");
        }
        for outside in [
            "192.0.3.0",
            "198.51.100.6",
            "2001:db8:1::1",
            "::2",
            "::ffff:198.51.100.8",
        ] {
            assert!(!holds(outside), "{outside}");
        }
        policy.unban(&Banned::Network("192.0.2.0/24".parse().unwrap()));
        assert!(!policy.is_address_banned("192.0.2.255".parse().unwrap()));
    }

    #[test]
    fn what_looks_like_a_banned_name_is_banned() {
        let mut policy = Policy::default();
        policy.ban(ban(Banned::Name("Admin".into())));
        let is_banned = |name: &str| policy.is_name_banned(&Name::parse(name).unwrap().keys());
        // The third begins with a Cyrillic letter; the last has an r and an n.
        for alike in ["admin", "ADMIN", "\u{410}dmin", "Adrnin"] {
            assert!(is_banned(alike), "{alike}");
        }
        assert!(!is_banned("Adam"));
        policy.unban(&Banned::Name("aDMIN".into()));
        assert!(!policy.is_name_banned(&Name::parse("Admin").unwrap().keys()));
    }
}
