-- What the operator decides, and what bounds what others leave behind, as migration 2 adds it.

-- Whether a name was used otherwise than by private messages, which show in 'lane'.
ALTER TABLE name ADD COLUMN used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1));

-- When its owner was here last, about, in seconds of the server's running time; of one that was used it does not matter.
ALTER TABLE name ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;

UPDATE name SET seen_at =
    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'service_seconds'), 0);

CREATE INDEX name_unused ON name (seen_at) WHERE used = 0;

-- How many lanes the key has as a sender.
ALTER TABLE person ADD COLUMN lanes INTEGER NOT NULL DEFAULT 0;

UPDATE person SET lanes = (SELECT count(*) FROM lane WHERE lane.sender = person.person);

-- Keys that may not join.
CREATE TABLE banned_key (
    key   BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    -- Seconds since 1970, by the server's clock; for people to read, decides nothing.
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that nobody may claim, as nobody had them when they were banned.
CREATE TABLE banned_name (
    -- UsernameCaseMapped, as in 'name'.
    folded TEXT    NOT NULL PRIMARY KEY,
    -- As typed.
    shown  TEXT    NOT NULL,
    -- As in 'banned_key'.
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Addresses from which nobody may join.
CREATE TABLE banned_network (
    -- ADDRESS/BITS, all other bits zero.
    network TEXT    NOT NULL PRIMARY KEY,
    -- As in 'banned_key'.
    since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys whose messages are refused.
CREATE TABLE muted (
    key   BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    -- As in 'banned_key'.
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Limits that the operator has set, by name.
CREATE TABLE limit_set (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tickets that admit new names.
CREATE TABLE invite (
    -- Never used again.
    invite          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of its secret, which is kept by whom it was given to alone.
    hash            BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    -- How many keys it admits.
    uses            INTEGER NOT NULL CHECK (uses > 0),
    -- Seconds since 1970, by the server's clock.
    made_at         INTEGER NOT NULL,
    -- The same; and in seconds of the server's running time, so that a clock that is set back brings no ticket back.
    expires_at      INTEGER NOT NULL,
    expires_running INTEGER NOT NULL
) STRICT;

-- Keys that a ticket has admitted: it admits them again.
CREATE TABLE invite_use (
    invite INTEGER NOT NULL REFERENCES invite (invite) ON DELETE CASCADE,
    key    BLOB    NOT NULL CHECK (length(key) = 32),
    PRIMARY KEY (invite, key)
) STRICT, WITHOUT ROWID;
