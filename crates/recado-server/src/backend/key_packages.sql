-- The server's database, as migration 3 adds to it.

-- Key packages, by which others begin to write to their owner end to end. One for one use is deleted before it is
-- handed out.
CREATE TABLE key_package (
    -- Never used again: the lowest number of an owner is the oldest.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner       INTEGER NOT NULL REFERENCES person (person),
    -- Drawn by its owner.
    reference   BLOB    NOT NULL CHECK (length(reference) = 16),
    -- What its owner put; the server does not look inside.
    package     BLOB    NOT NULL,
    -- 1: it is handed out when there is no other, as often as is asked. An owner has one of these at most.
    last_resort INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
    -- In seconds of the server's running time (meta 'service_seconds').
    stored_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX key_package_owner ON key_package (owner, last_resort, number);
CREATE INDEX key_package_age ON key_package (stored_at);

-- Messages of before are not sealed, and nobody reads them any more: their senders seal them, and send them again. The
-- reason is FailureCode UNREADABLE.
UPDATE mailbox SET envelope = x'', dropped = 3 WHERE envelope <> x'';
