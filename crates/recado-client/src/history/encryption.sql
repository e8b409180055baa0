-- A client's database, as migration 2 changes it: private messages are sealed for their recipient.

-- What a message is: 0 a message, 1 a note about a file, 2 the word that a code was compared. Only 0 is shown.
ALTER TABLE message ADD COLUMN kind INTEGER NOT NULL DEFAULT 0 CHECK (kind IN (0, 1, 2));
-- What a note says; empty once it was delivered or taken.
ALTER TABLE message ADD COLUMN note BLOB NOT NULL DEFAULT x'';

-- Another key under which the server knew the name last, and that is not trusted; 32 bytes.
ALTER TABLE peer ADD COLUMN other BLOB CHECK (length(other) = 32);
-- Whether the code of the two keys was compared, and found right: here, and there.
ALTER TABLE peer ADD COLUMN compared_here INTEGER NOT NULL DEFAULT 0 CHECK (compared_here IN (0, 1));
ALTER TABLE peer ADD COLUMN compared_there INTEGER NOT NULL DEFAULT 0 CHECK (compared_there IN (0, 1));

-- The number of the lane that could not be opened: nothing is, until it brings a group that was made for that; 0 if
-- there is none.
ALTER TABLE lane_in ADD COLUMN closed_at INTEGER NOT NULL DEFAULT 0;
-- The highest generation of a group that the lane has opened.
ALTER TABLE lane_in ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- Numbers of those lanes that renewed a group: of each lane among the last 1,024, as no more are under way.
CREATE TABLE handshake_in (
    sender BLOB    NOT NULL CHECK (length(sender) = 32),
    store  BLOB    NOT NULL CHECK (length(store) = 16),
    number INTEGER NOT NULL,
    PRIMARY KEY (sender, store, number)
) STRICT, WITHOUT ROWID;

-- What has its number and is not settled.
CREATE TABLE under_way (
    -- As in `message`.
    peer       TEXT    NOT NULL,
    -- Its number in the lane to them.
    number     INTEGER NOT NULL,
    -- The id under which it travels, and its sender's clock.
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    sent_at_ms INTEGER NOT NULL,
    -- What was entered and travels under this number; none for what renews a group, and where only the number travels.
    message    INTEGER REFERENCES message (number),
    -- The bytes that are sent, however often. Empty: only the number travels.
    envelope   BLOB    NOT NULL,
    -- The group that the bytes open to the recipient; empty where they open none.
    welcomes   BLOB    NOT NULL DEFAULT x'',
    PRIMARY KEY (peer, number)
) STRICT;

-- What was under way was not sealed. It is not sent any more: its numbers travel empty, and it waits for new ones. What
-- the server has of it is not read.
INSERT INTO under_way (peer, number, id, sent_at_ms, message, envelope)
    SELECT o.peer, o.number, m.id, m.sent_at_ms, NULL, x''
    FROM outbox o JOIN message m ON m.number = o.message WHERE o.peer IS NOT NULL AND o.number > 0;

-- The highest generation of a group that is known of each pair, also of those that are erased.
CREATE TABLE pair (
    -- The other's key.
    peer       BLOB    NOT NULL PRIMARY KEY CHECK (length(peer) = 32),
    generation INTEGER NOT NULL,
    -- The number of the lane to them that they could not read, if the next group is made for that; else 0.
    resumes    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO pair (peer, generation, resumes)
    SELECT p.key, 0, max(o.number) FROM outbox o JOIN peer p ON p.folded = o.peer
    WHERE o.number > 0 AND p.key IS NOT NULL GROUP BY p.key;

UPDATE message SET state = 'queued' WHERE state = 'stored' AND number IN
    (SELECT message FROM outbox WHERE peer IS NOT NULL AND number > 0 AND envelope <> x'');

CREATE TABLE new_outbox (
    -- The message; also the number of the entry: entries are sent in this order.
    message INTEGER NOT NULL PRIMARY KEY REFERENCES message (number),
    -- As in `message`.
    peer    TEXT,
    -- Its number in the lane; 0 if it has none. 1 for a message to everyone that may have been sent.
    number  INTEGER NOT NULL DEFAULT 0,
    -- How often it was sealed.
    seals   INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO new_outbox (message, peer, number)
    SELECT message, peer, iif(peer IS NULL, number, 0) FROM outbox
    WHERE peer IS NULL OR number = 0 OR envelope <> x'';

DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;

-- Groups of two, in the order in which they were made or joined.
CREATE TABLE mls_group (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Its id: generation, the maker's database, randomness.
    name       BLOB    NOT NULL UNIQUE CHECK (length(name) = 32),
    -- The other member's key and database, and the key of whoever made it.
    peer       BLOB    NOT NULL CHECK (length(peer) = 32),
    peer_store BLOB    NOT NULL CHECK (length(peer_store) = 16),
    maker      BLOB    NOT NULL CHECK (length(maker) = 32),
    -- The other side could not read it: nothing more is sealed in it.
    is_spent   INTEGER NOT NULL DEFAULT 0 CHECK (is_spent IN (0, 1)),
    -- Goes with what is sealed until something of it was delivered; then, and where it was joined, empty.
    welcome    BLOB    NOT NULL DEFAULT x'',
    -- The number of the lane for which it was made, as the other side could not read it; else 0.
    resumes    INTEGER NOT NULL DEFAULT 0,
    -- Joined by a key package that others could have got too, and not renewed since.
    is_weak    INTEGER NOT NULL DEFAULT 0 CHECK (is_weak IN (0, 1)),
    -- What was said in this epoch; whether anything of it came from the other side; when it began, by this machine's
    -- clock; and whether keys of the epoch before are still there.
    said       INTEGER NOT NULL DEFAULT 0,
    heard      INTEGER NOT NULL DEFAULT 0 CHECK (heard IN (0, 1)),
    began_ms   INTEGER NOT NULL DEFAULT 0,
    has_past   INTEGER NOT NULL DEFAULT 0 CHECK (has_past IN (0, 1)),
    -- The number under which one's own commit or proposal is under way.
    handshake  INTEGER,
    -- A proposal that waits for a commit (CBOR); empty if there is none.
    proposal   BLOB    NOT NULL DEFAULT x''
) STRICT;

CREATE INDEX mls_group_peer ON mls_group (peer, number);

-- Keys and all else that openmls keeps (CBOR), by whose it is: a group's, or, empty, that of key packages.
CREATE TABLE mls_state (
    owner BLOB NOT NULL,
    -- A byte that says what it is, and what tells it from others of its kind.
    key   BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

-- One's own key packages whose private halves are here.
CREATE TABLE key_package (
    number      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Its name at the server.
    reference   BLOB    NOT NULL UNIQUE CHECK (length(reference) = 16),
    -- Where its private half is in `mls_state`.
    state_key   BLOB    NOT NULL UNIQUE,
    last_resort INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
    -- Whether a group was opened with a last resort.
    is_used     INTEGER NOT NULL DEFAULT 0 CHECK (is_used IN (0, 1)),
    -- By this machine's clock, in milliseconds since 1970.
    made_ms     INTEGER NOT NULL
) STRICT;

-- The hash of the server's root for which all these keys are.
CREATE TABLE root (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    hash BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Seals what one keeps at the server for oneself.
CREATE TABLE own_key (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    key  BLOB    NOT NULL CHECK (length(key) = 32)
) STRICT;
