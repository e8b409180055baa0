-- The server's database, as migration 1 makes it.

-- Facts about the database itself: 'name_tables' (the Unicode tables of the skeletons), 'service_seconds' (how long
-- the server has run in all: the clock by which messages age), 'clean' (1 where the last process closed it in order).
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Names and the keys that own them. A key has one name.
CREATE TABLE name (
    -- UsernameCaseMapped (RFC 8265): the form under which a name is unique.
    folded     TEXT    NOT NULL PRIMARY KEY,
    -- As first typed (UsernameCasePreserved): the form that is shown.
    shown      TEXT    NOT NULL,
    -- The owner's Ed25519 public key, 32 bytes.
    key        BLOB    NOT NULL UNIQUE CHECK (length(key) = 32),
    -- Seconds since 1970, by the server's clock; for people to read, decides nothing.
    claimed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The UTS 39 skeletons of each name: no two names share one. Recomputed when the
-- Unicode tables change (meta 'name_tables').
CREATE TABLE skeleton (
    skeleton TEXT NOT NULL PRIMARY KEY,
    folded   TEXT NOT NULL REFERENCES name (folded) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX skeleton_folded ON skeleton (folded);

-- Keys that private messages come from or go to, by a number that is short in the tables below.
CREATE TABLE person (
    person INTEGER PRIMARY KEY,
    -- An Ed25519 public key.
    key    BLOB NOT NULL UNIQUE CHECK (length(key) = 32)
) STRICT;

-- Lanes: the way from one database of a sender to one recipient. A row stays when its messages are gone, so that
-- none is taken twice.
CREATE TABLE lane (
    lane        INTEGER PRIMARY KEY AUTOINCREMENT,
    sender      INTEGER NOT NULL REFERENCES person (person),
    -- The id of the sender's database.
    store       BLOB    NOT NULL CHECK (length(store) = 16),
    recipient   INTEGER NOT NULL REFERENCES person (person),
    -- The highest number taken.
    accepted    INTEGER NOT NULL,
    -- The message id under that number; empty where it is not known.
    accepted_id BLOB    NOT NULL CHECK (length(accepted_id) IN (0, 16)),
    -- Every number up to this one has an outcome: received, unless it stands in failure.
    settled     INTEGER NOT NULL CHECK (settled <= accepted),
    UNIQUE (sender, recipient, store)
) STRICT;

CREATE INDEX lane_recipient ON lane (recipient);

-- Messages that wait: of each lane those above settled. Whoever fetches a mailbox reads it by mark.
CREATE TABLE mailbox (
    -- Never used again, so that "after this mark" stays true.
    mark      INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient INTEGER NOT NULL REFERENCES person (person),
    lane      INTEGER NOT NULL REFERENCES lane (lane),
    number    INTEGER NOT NULL,
    -- The message id, drawn by its sender.
    id        BLOB    NOT NULL CHECK (length(id) = 16),
    -- Milliseconds since 1970, by the sender's clock.
    sent_at   INTEGER NOT NULL,
    -- Empty where the sender gave the message up, or the server dropped it.
    envelope  BLOB    NOT NULL,
    -- In seconds of the server's running time (meta 'service_seconds').
    stored_at INTEGER NOT NULL,
    -- Why the server dropped it (FailureCode); 0 where it did not.
    dropped   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX mailbox_lane ON mailbox (lane, number);
CREATE INDEX mailbox_recipient ON mailbox (recipient, mark);

-- Messages that were not received and will not be, until their sender has noted it.
CREATE TABLE failure (
    lane   INTEGER NOT NULL REFERENCES lane (lane),
    number INTEGER NOT NULL,
    -- Why (FailureCode).
    code   INTEGER NOT NULL,
    PRIMARY KEY (lane, number)
) STRICT, WITHOUT ROWID;

-- Who takes no messages from whom.
CREATE TABLE block (
    owner   INTEGER NOT NULL REFERENCES person (person),
    blocked INTEGER NOT NULL REFERENCES person (person),
    PRIMARY KEY (owner, blocked)
) STRICT, WITHOUT ROWID;
