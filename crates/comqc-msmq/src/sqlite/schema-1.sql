-- Queues for queued components, version 1. Times are milliseconds since 1970 (UTC).

-- One row: how messages are numbered. Set lineage to NULL in a copy of the file that lives on beside the original: both
-- would give out the same identifiers otherwise.
CREATE TABLE comqc_store (
    lineage TEXT,               -- first half of the identifiers that are given out: a GUID
    base    INTEGER NOT NULL,   -- seq that its number 0 would have: the second half is seq - base
    last    INTEGER NOT NULL    -- the last seq that was given to a message
);
INSERT INTO comqc_store (lineage, base, last) VALUES (NULL, 0, 0);

-- Who may have messages locked: one row for each opened store that receives. It lives as long as it has the lock of the
-- operating system on the file beside the database whose name ends in "-holder-" and this id.
CREATE TABLE comqc_holder (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    pid    INTEGER NOT NULL,    -- its process, for people
    opened INTEGER NOT NULL
);

CREATE TABLE comqc_queue (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL COLLATE NOCASE UNIQUE,
    created INTEGER NOT NULL,
    locked  INTEGER,            -- seq of the message that somebody has; no other is given out meanwhile
    holder  INTEGER,            -- who has it
    since   INTEGER,            -- since when
    CHECK ((locked IS NULL) = (holder IS NULL))
);

CREATE TABLE comqc_message (
    seq        INTEGER PRIMARY KEY,         -- order of sending
    queue      INTEGER NOT NULL REFERENCES comqc_queue (id),
    place      TEXT    NOT NULL,            -- main, retry-0 and so on, dead, journal
    lineage    TEXT    NOT NULL,            -- identifier: GUID
    uniquifier INTEGER NOT NULL,            -- identifier: number
    label      TEXT    NOT NULL,
    priority   INTEGER NOT NULL,            -- 7 is received first
    sent       INTEGER NOT NULL,
    expires    INTEGER,                     -- when its time to be received is over
    due        INTEGER,                     -- in a retry queue: not to be received before
    round      INTEGER NOT NULL DEFAULT 0,  -- how often it went through a retry queue
    failures   INTEGER NOT NULL DEFAULT 0,  -- in this round
    abandoned  INTEGER NOT NULL DEFAULT 0,  -- how often a player has died while it had the message
    dead       TEXT,                        -- why it is in the dead queue
    error      TEXT,                        -- what the last failure was
    size       INTEGER NOT NULL,            -- bytes of the body
    properties TEXT    NOT NULL,            -- JSON: the other properties, where they are not the default
    sender     TEXT    NOT NULL,            -- JSON: who has sent it, where that is known
    CHECK ((place LIKE 'retry-%') = (due IS NOT NULL)),
    CHECK ((place = 'dead') = (dead IS NOT NULL))
);
CREATE INDEX comqc_message_next ON comqc_message (queue, place, priority DESC, seq);
CREATE INDEX comqc_message_identifier ON comqc_message (uniquifier, lineage);
CREATE INDEX comqc_message_due ON comqc_message (queue, due, seq) WHERE due IS NOT NULL;
CREATE INDEX comqc_message_expires ON comqc_message (queue, expires) WHERE expires IS NOT NULL;

-- Bodies are written once, and stay where they are when a message moves.
CREATE TABLE comqc_body (
    seq   INTEGER PRIMARY KEY REFERENCES comqc_message (seq),
    bytes BLOB NOT NULL
);
CREATE TRIGGER comqc_message_gone AFTER DELETE ON comqc_message
BEGIN
    DELETE FROM comqc_body WHERE seq = old.seq;
END;
