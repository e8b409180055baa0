-- Offers of files, as migration 2 adds them.

-- Every offer, one's own and others', in the order in which they were written down. People name one by its number.
CREATE TABLE offer (
    number    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- 16 bytes, drawn by whoever offers.
    id        BLOB    NOT NULL CHECK (length(id) = 16),
    -- 0: it was made here. 1: it came.
    came      INTEGER NOT NULL CHECK (came IN (0, 1)),
    -- The other person's name, folded.
    peer      TEXT    NOT NULL,
    -- The same as shown, or as typed.
    name      TEXT    NOT NULL,
    -- The other person's key; none until they have answered.
    remote    BLOB    CHECK (length(remote) = 32),
    -- What is offered: an encoded FileNote.
    offered   BLOB    NOT NULL,
    -- What is sent; or the folder into which it is received, and then where it is; empty before it is accepted.
    path      BLOB    NOT NULL,
    -- A hash of what shows a change of what is sent.
    snapshot  BLOB    NOT NULL CHECK (length(snapshot) = 32),
    -- 'entered': by a process that does not hold the identity; whoever does takes it up.
    state     TEXT    NOT NULL CHECK (state IN ('entered', 'offered', 'accepted', 'received', 'declined', 'cancelled', 'failed')),
    -- Why it failed: a machine word.
    code      TEXT    NOT NULL DEFAULT '',
    -- BLAKE3 of the contents, once they are received, or about to be put in their place.
    hash      BLOB    CHECK (length(hash) = 32),
    -- Where contents that are complete are about to be put: after a crash they may be there.
    place     BLOB,
    -- Given with it by whoever made it, and given back in what is told of it.
    reference TEXT,
    -- Bytes verified at the receiver, now and then, for a process that looks on.
    done      INTEGER NOT NULL DEFAULT 0,
    -- Whether a process that looks on wants it ended.
    unwanted  INTEGER NOT NULL DEFAULT 0 CHECK (unwanted IN (0, 1)),
    UNIQUE (id, came)
) STRICT;

CREATE INDEX offer_open ON offer (number) WHERE state IN ('entered', 'offered', 'accepted');
