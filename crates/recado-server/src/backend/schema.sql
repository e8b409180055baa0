-- The server's database, as migration 1 makes it.

-- Facts about the database itself.
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
