-- A client's database, one for each identity, as migration 1 makes it.
--
-- Numbers of lanes, and the rows of `message`, give the order; no time of any clock does.

-- This database's own id, under which its lanes are known to servers and recipients.
CREATE TABLE store (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    -- 16 random bytes. New when this turned out to be an old copy.
    id   BLOB    NOT NULL CHECK (length(id) = 16)
) STRICT;

-- Everyone whose key is remembered, and how far the lane to that key is.
CREATE TABLE peer (
    -- UsernameCaseMapped (RFC 8265): the form under which a name is unique.
    folded     TEXT    NOT NULL PRIMARY KEY,
    -- As registered; as typed until that is known.
    name       TEXT    NOT NULL,
    -- Their Ed25519 public key, 32 bytes; none until the server has said it.
    key        BLOB    CHECK (length(key) = 32),
    -- The highest number given to a message to this key; 0 if none.
    highest    INTEGER NOT NULL DEFAULT 0,
    -- The highest number that the server has stored.
    stored     INTEGER NOT NULL DEFAULT 0,
    -- The id of the message under the highest number that is settled.
    settled_id BLOB    CHECK (length(settled_id) = 16),
    -- Whether their messages are refused.
    blocked    INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1))
) STRICT, WITHOUT ROWID;

-- How far each lane that ends here is.
CREATE TABLE lane_in (
    -- The sender's key.
    sender  BLOB    NOT NULL CHECK (length(sender) = 32),
    -- The sender's database.
    store   BLOB    NOT NULL CHECK (length(store) = 16),
    -- Everything up to this number is written down here.
    written INTEGER NOT NULL,
    PRIMARY KEY (sender, store)
) STRICT, WITHOUT ROWID;

-- Numbers of those lanes that could not be read: of each lane among the last 1,024, as no more are under way.
CREATE TABLE unreadable (
    sender BLOB    NOT NULL CHECK (length(sender) = 32),
    store  BLOB    NOT NULL CHECK (length(store) = 16),
    number INTEGER NOT NULL,
    PRIMARY KEY (sender, store, number)
) STRICT, WITHOUT ROWID;

-- Logs of global messages, in the order in which they were met: a server has a new one whenever it starts.
CREATE TABLE log (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id     BLOB    NOT NULL UNIQUE CHECK (length(id) = 8)
) STRICT;

-- Every message, in the order in which it was written down.
CREATE TABLE message (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- 0: it was entered here. 1: it came.
    came       INTEGER NOT NULL CHECK (came IN (0, 1)),
    -- Drawn by its sender.
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    -- Its sender's key; empty for one that was entered here.
    sender     BLOB    NOT NULL CHECK (length(sender) IN (0, 32)),
    -- The other person's name, folded; none for a message to everyone.
    peer       TEXT,
    -- The other person's name as shown, or as typed; its sender's for a message to everyone that came.
    name       TEXT    NOT NULL,
    -- By its sender's clock, in milliseconds since 1970.
    sent_at_ms INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    -- What became of it.
    state      TEXT    NOT NULL CHECK (state IN ('queued', 'stored', 'delivered', 'failed', 'received')),
    -- Why it failed: a machine word.
    code       TEXT    NOT NULL DEFAULT '',
    -- Given with it by whoever entered it, and given back in what is told of it.
    reference  TEXT,
    -- Its place among the messages to everyone: the log's number here, and its own there.
    log        INTEGER REFERENCES log (number),
    sequence   INTEGER,
    -- Whether a message to everyone carried the signature of the key remembered for its sender's name.
    verified   INTEGER NOT NULL DEFAULT 1 CHECK (verified IN (0, 1)),
    UNIQUE (id, sender, came)
) STRICT;

CREATE INDEX message_peer ON message (peer, number);

-- The words of all messages.
CREATE VIRTUAL TABLE message_words USING fts5 (
    text, content = 'message', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER message_words_of_new AFTER INSERT ON message BEGIN
    INSERT INTO message_words (rowid, text) VALUES (new.number, new.text);
END;

-- Messages to everyone that were lost: these numbers of a log, both included.
CREATE TABLE hole (
    log   INTEGER NOT NULL REFERENCES log (number),
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (log, first)
) STRICT, WITHOUT ROWID;

-- What was entered here and has no outcome yet.
CREATE TABLE outbox (
    -- The message; also the number of the entry: entries are sent in this order.
    message  INTEGER NOT NULL PRIMARY KEY REFERENCES message (number),
    -- As in `message`.
    peer     TEXT,
    -- Its number in the lane; 0 if it has none yet. 1 for a message to everyone that may have been sent.
    number   INTEGER NOT NULL DEFAULT 0,
    -- The bytes that are sent, however often. Empty: it has failed, and its number travels alone.
    envelope BLOB    NOT NULL DEFAULT x''
) STRICT;

CREATE UNIQUE INDEX outbox_lane ON outbox (peer, number) WHERE number > 0;

-- Private messages that came and were not taken yet: not shown, or not acknowledged by whom they were shown to.
CREATE TABLE inbox (
    -- The lane, and the number in it.
    sender  BLOB    NOT NULL CHECK (length(sender) = 32),
    store   BLOB    NOT NULL CHECK (length(store) = 16),
    number  INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES message (number),
    PRIMARY KEY (sender, store, number)
) STRICT, WITHOUT ROWID;

-- Answers whether it is empty, and in which order it is shown, without looking at `message`.
CREATE UNIQUE INDEX inbox_message ON inbox (message);
