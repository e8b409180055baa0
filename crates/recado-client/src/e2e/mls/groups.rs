//! What is known of groups beside their keys: whose they are, which counts, and when they are to be renewed.

use openmls::group::GroupId;
use recado_engine::groups::{Freshness, GroupRank, takes_place_of, that_counts};
use recado_proto::id::{RemoteKey, StoreId};
use rusqlite::{OptionalExtension as _, params};

use super::{Mls, now_ms, store};
use crate::history::{Blob, column, number};

/// A group's id: which of the pair's it is to be, whose database made it, and what makes it its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct GroupName([u8; 32]);

impl GroupName {
    pub(super) fn new(generation: u64, store: StoreId, random: [u8; 8]) -> Self {
        let mut name = [0; 32];
        let (first, rest) = name.split_at_mut(8);
        let (second, third) = rest.split_at_mut(16);
        first.copy_from_slice(&generation.to_be_bytes());
        second.copy_from_slice(store.as_bytes());
        third.copy_from_slice(&random);
        Self(name)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn generation(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.0.split_at(8).0);
        u64::from_be_bytes(bytes)
    }

    /// The database of whoever made it.
    pub(super) fn store(&self) -> StoreId {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(self.0.split_at(8).1.split_at(16).0);
        StoreId::from_bytes(bytes)
    }

    /// As openmls calls it.
    pub(super) fn id(&self) -> GroupId {
        GroupId::from_slice(&self.0)
    }

    /// As its state is found.
    pub(super) fn owner(&self) -> Vec<u8> {
        // An id of 32 bytes can always be encoded.
        store::owner(&self.id()).unwrap_or_default()
    }
}

impl TryFrom<&[u8]> for GroupName {
    type Error = ();

    fn try_from(bytes: &[u8]) -> Result<Self, ()> {
        bytes.try_into().map(Self).map_err(drop)
    }
}

impl TryFrom<&GroupId> for GroupName {
    type Error = ();

    fn try_from(id: &GroupId) -> Result<Self, ()> {
        Self::try_from(id.as_slice())
    }
}

/// A group with someone.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Its row; 0 if it has none yet.
    row: i64,
    pub(super) name: GroupName,
    /// The other member's database.
    pub(super) peer_store: StoreId,
    /// Who made it.
    maker: RemoteKey,
    /// The other side cannot read it: nothing more is sealed in it.
    is_spent: bool,
    /// Opens it to the other side: goes with everything until something has arrived.
    pub(super) welcome: Vec<u8>,
    /// The number of the lane for which it was made, as the other side could not read it; 0 if that is not why, or it
    /// has arrived.
    pub(super) resumes: u64,
    /// One joined by a key package that others could have got too, and has not renewed one's keys since.
    is_weak: bool,
    /// What was said in this epoch, both ways together.
    said: u64,
    /// Whether something of this epoch came from the other side.
    pub(super) heard: bool,
    /// When this epoch began.
    began_ms: i64,
    /// Whether the keys of the past epoch are still there.
    pub(super) has_past: bool,
    /// The number under which one's own commit or proposal is under way.
    pub(super) handshake: Option<u64>,
    /// A proposal that waits for a commit: the other's where one commits oneself, else one's own.
    pub(super) proposal: Vec<u8>,
    is_changed: bool,
}

impl Group {
    /// One that was made by oneself.
    pub(super) fn made(
        name: GroupName,
        maker: RemoteKey,
        peer_store: StoreId,
        welcome: Vec<u8>,
    ) -> Self {
        Self {
            row: 0,
            name,
            peer_store,
            maker,
            is_spent: false,
            welcome,
            resumes: 0,
            is_weak: false,
            said: 0,
            heard: false,
            began_ms: now_ms(),
            has_past: false,
            handshake: None,
            proposal: Vec::new(),
            is_changed: true,
        }
    }

    /// One that the other side has made.
    pub(super) fn joined(
        name: GroupName,
        maker: RemoteKey,
        peer_store: StoreId,
        is_weak: bool,
    ) -> Self {
        Self {
            is_weak,
            ..Self::made(name, maker, peer_store, Vec::new())
        }
    }

    fn rank(&self) -> GroupRank {
        GroupRank {
            peer_store: self.peer_store,
            generation: self.name.generation(),
            maker: self.maker,
        }
    }

    pub(super) fn freshness(&self, own_commits: bool, now_ms: i64) -> Freshness {
        let has_proposal = !self.proposal.is_empty();
        Freshness {
            said: self.said,
            age_ms: now_ms.saturating_sub(self.began_ms),
            heard: self.heard,
            is_weak: self.is_weak,
            is_asked: own_commits && has_proposal,
            // One's own proposal waits for the other's commit, however long that takes.
            is_under_way: self.handshake.is_some() || (!own_commits && has_proposal),
        }
    }

    /// One more was said.
    pub(super) fn count(&mut self) {
        self.said = self.said.saturating_add(1);
        self.is_changed = true;
    }

    /// A new epoch has begun; whether one's own keys are new in it.
    pub(super) fn renewed(&mut self, own_keys: bool) {
        self.said = 0;
        self.heard = false;
        self.began_ms = now_ms();
        self.has_past = true;
        self.handshake = None;
        self.proposal.clear();
        self.is_weak &= !own_keys;
        self.is_changed = true;
    }

    /// The other side has it.
    pub(super) fn confirm(&mut self) {
        self.welcome.clear();
        self.resumes = 0;
        self.is_changed = true;
    }

    pub(super) fn spend(&mut self) {
        self.is_spent = true;
        self.is_changed = true;
    }

    pub(super) fn touch(&mut self) {
        self.is_changed = true;
    }
}

impl Mls<'_> {
    /// The groups with someone, in the order in which they were made or joined.
    pub(super) fn of(&mut self, peer: RemoteKey) -> rusqlite::Result<&[Group]> {
        Ok(self.of_mut(peer)?)
    }

    pub(super) fn of_mut(&mut self, peer: RemoteKey) -> rusqlite::Result<&mut Vec<Group>> {
        if !self.groups.contains_key(&peer) {
            let groups = self.read_groups(peer)?;
            self.groups.insert(peer, groups);
        }
        Ok(self.groups.entry(peer).or_default())
    }

    pub(super) fn find(
        &mut self,
        peer: RemoteKey,
        name: GroupName,
    ) -> rusqlite::Result<Option<&Group>> {
        let groups = self.of(peer)?;
        Ok(groups.iter().find(|group| group.name == name))
    }

    pub(super) fn find_mut(
        &mut self,
        peer: RemoteKey,
        name: GroupName,
    ) -> rusqlite::Result<Option<&mut Group>> {
        let groups = self.of_mut(peer)?;
        Ok(groups.iter_mut().find(|group| group.name == name))
    }

    /// The group that counts, if anything can be sealed in it.
    pub(super) fn current(&mut self, peer: RemoteKey) -> rusqlite::Result<Option<&Group>> {
        let groups = self.of(peer)?;
        let usable: Vec<_> = groups.iter().filter(|group| !group.is_spent).collect();
        let at = that_counts(&usable, |group| group.rank());
        Ok(at.and_then(|at| usable.get(at).copied()))
    }

    pub(super) fn add(&mut self, peer: RemoteKey, group: Group) -> rusqlite::Result<()> {
        self.of_mut(peer)?.push(group);
        Ok(())
    }

    /// Something has come in this group: those that count less are over.
    pub(super) fn prune(&mut self, peer: RemoteKey, name: GroupName) -> rusqlite::Result<()> {
        let groups = self.of(peer)?;
        let Some(at) = groups.iter().position(|group| group.name == name) else {
            return Ok(());
        };
        let (earlier, rest) = groups.split_at(at);
        let Some((group, later)) = rest.split_first() else {
            return Ok(());
        };
        let rank = group.rank();
        let earlier = earlier
            .iter()
            .filter(|it| takes_place_of(&rank, &it.rank()));
        let later = later.iter().filter(|it| !takes_place_of(&it.rank(), &rank));
        let over: Vec<_> = earlier.chain(later).map(|group| group.name).collect();
        for name in over {
            self.remove(peer, name)?;
        }
        Ok(())
    }

    /// Erases a group, with all its keys.
    pub(super) fn remove(&mut self, peer: RemoteKey, name: GroupName) -> rusqlite::Result<()> {
        self.of_mut(peer)?.retain(|group| group.name != name);
        self.loaded.remove(&name);
        self.state.forget(&name.owner())?;
        self.transaction
            .prepare_cached("DELETE FROM mls_group WHERE name = ?1")?
            .execute([name.as_bytes()])?;
        Ok(())
    }

    /// One above the highest generation known of this pair.
    pub(super) fn next_generation(&self, peer: RemoteKey) -> rusqlite::Result<u64> {
        let highest: Option<i64> = self
            .transaction
            .prepare_cached("SELECT generation FROM pair WHERE peer = ?1")?
            .query_row([peer.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(number(highest.unwrap_or(0)).saturating_add(1))
    }

    pub(super) fn note_generation(&self, peer: RemoteKey, generation: u64) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached(
                "INSERT INTO pair (peer, generation) VALUES (?1, ?2)
                 ON CONFLICT (peer) DO UPDATE SET generation = max(generation, excluded.generation)",
            )?
            .execute(params![peer.as_bytes(), column(generation)])?;
        Ok(())
    }

    /// The next group is made as this number of the lane to someone could not be read.
    pub(super) fn note_resumption(&self, peer: RemoteKey, number: u64) -> rusqlite::Result<()> {
        self.transaction
            .prepare_cached("UPDATE pair SET resumes = ?2 WHERE peer = ?1")?
            .execute(params![peer.as_bytes(), column(number)])?;
        Ok(())
    }

    /// Why the next group is made; it is, now.
    pub(super) fn take_resumption(&self, peer: RemoteKey) -> rusqlite::Result<u64> {
        let resumes: Option<i64> = self
            .transaction
            .prepare_cached("SELECT resumes FROM pair WHERE peer = ?1")?
            .query_row([peer.as_bytes()], |row| row.get(0))
            .optional()?;
        self.note_resumption(peer, 0)?;
        Ok(number(resumes.unwrap_or(0)))
    }

    fn read_groups(&self, peer: RemoteKey) -> rusqlite::Result<Vec<Group>> {
        self.transaction
            .prepare_cached(
                "SELECT number, name, peer_store, maker, is_spent, welcome, is_weak, said, heard, began_ms,
                        has_past, handshake, proposal, resumes
                 FROM mls_group WHERE peer = ?1 ORDER BY number",
            )?
            .query_map([peer.as_bytes()], |row| {
                let (name, Blob(peer_store)): ([u8; 32], _) = (row.get(1)?, row.get(2)?);
                let Blob(maker) = row.get(3)?;
                let handshake: Option<i64> = row.get(11)?;
                Ok(Group {
                    row: row.get(0)?,
                    name: GroupName(name),
                    peer_store,
                    maker,
                    is_spent: row.get(4)?,
                    welcome: row.get(5)?,
                    resumes: number(row.get(13)?),
                    is_weak: row.get(6)?,
                    said: number(row.get(7)?),
                    heard: row.get(8)?,
                    began_ms: row.get(9)?,
                    has_past: row.get(10)?,
                    handshake: handshake.map(number),
                    proposal: row.get(12)?,
                    is_changed: false,
                })
            })?
            .collect()
    }

    /// Writes down what has changed.
    pub(super) fn write_groups(&mut self) -> rusqlite::Result<()> {
        let groups = std::mem::take(&mut self.groups);
        for (peer, group) in groups
            .iter()
            .flat_map(|(peer, groups)| groups.iter().map(move |group| (peer, group)))
            .filter(|(_, group)| group.is_changed)
        {
            if group.row == 0 {
                self.transaction
                    .prepare_cached(
                        "INSERT INTO mls_group (name, peer, peer_store, maker) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        group.name.as_bytes(),
                        peer.as_bytes(),
                        group.peer_store.as_bytes(),
                        group.maker.as_bytes(),
                    ])?;
            }
            self.transaction
                .prepare_cached(
                    "UPDATE mls_group SET is_spent = ?2, welcome = ?3, is_weak = ?4, said = ?5, heard = ?6,
                         began_ms = ?7, has_past = ?8, handshake = ?9, proposal = ?10, resumes = ?11
                     WHERE name = ?1",
                )?
                .execute(params![
                    group.name.as_bytes(),
                    group.is_spent,
                    group.welcome,
                    group.is_weak,
                    column(group.said),
                    group.heard,
                    group.began_ms,
                    group.has_past,
                    group.handshake.map(column),
                    group.proposal,
                    column(group.resumes),
                ])?;
        }
        Ok(())
    }
}
