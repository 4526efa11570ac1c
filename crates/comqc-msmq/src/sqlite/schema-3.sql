-- Version 3: a message touches fewer pages of the file. Its body stands with it, nothing counts how many there were, and
-- only identifiers of other stores have an index.

-- The first halves of the identifiers that were given out here. Set closed to 1 in a copy of the file that lives on beside
-- the original: both would give out the same identifiers otherwise.
CREATE TABLE comqc_lineage (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    lineage TEXT    NOT NULL UNIQUE,            -- a GUID
    base    INTEGER NOT NULL,                   -- seq that its number 0 would have: the second half is seq - base
    closed  INTEGER NOT NULL DEFAULT 0          -- no more of it are given out
);
INSERT INTO comqc_lineage (lineage, base) SELECT lineage, base FROM comqc_store WHERE lineage IS NOT NULL;
ALTER TABLE comqc_queue ADD COLUMN last INTEGER NOT NULL DEFAULT 0;     -- the last seq of a message that is gone
UPDATE comqc_queue SET last = (SELECT last FROM comqc_store);
DROP TABLE comqc_store;

-- Whether the identifier is none that this store has given to this message: it came with it.
ALTER TABLE comqc_message ADD COLUMN named INTEGER NOT NULL DEFAULT 0;
UPDATE comqc_message SET named = 1
WHERE seq IS NOT (SELECT base + uniquifier FROM comqc_lineage WHERE lineage = comqc_message.lineage);
DROP INDEX comqc_message_identifier;
CREATE INDEX comqc_message_named ON comqc_message (uniquifier, lineage) WHERE named;

ALTER TABLE comqc_message ADD COLUMN body BLOB NOT NULL DEFAULT x'';
UPDATE comqc_message SET body = coalesce((SELECT bytes FROM comqc_body b WHERE b.seq = comqc_message.seq), x'');
DROP TRIGGER comqc_message_gone;
DROP TABLE comqc_body;
CREATE TRIGGER comqc_message_gone AFTER DELETE ON comqc_message
BEGIN
    UPDATE comqc_queue SET last = old.seq WHERE id = old.queue AND last < old.seq;
END;

-- With what is asked of whole queues, so that bodies are not read for it.
DROP INDEX comqc_message_next;
CREATE INDEX comqc_message_next ON comqc_message (queue, place, priority DESC, seq, sent);
