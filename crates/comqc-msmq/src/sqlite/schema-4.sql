-- Version 4: what the protocol of MSMQ needs. Messages on their way to other machines stand in comqc_message, too, in the
-- queue whose name is that of the destination, DIRECT=..; in retry-0 is what was delivered and waits for its final
-- acknowledgement. Their number is seq - base, as in their identifier.

-- From the message seq on, how messages of a queue are numbered for the destination, until the next row. One row for each
-- process that sends, so that a file that was restored from a copy does not give out numbers twice.
CREATE TABLE msmq_numbering (
    queue   INTEGER NOT NULL,           -- comqc_queue.id
    seq     INTEGER NOT NULL,
    lineage TEXT    NOT NULL,           -- GUID of the sending queue manager
    time    INTEGER NOT NULL,           -- TimeStamp of TxSequenceID: seconds since 1970, never smaller than before
    ordinal INTEGER NOT NULL,           -- Ordinal of TxSequenceID for the message seq
    kind    TEXT    NOT NULL,           -- plain: without; single: each its own sequence; sequence: all in this one
    PRIMARY KEY (queue, seq)
) WITHOUT ROWID;

-- What came last from a sending queue manager, of transactional messages to a queue here.
CREATE TABLE msmq_incoming (
    queue   TEXT    NOT NULL COLLATE NOCASE,    -- its name for senders: private$\orders
    sender  TEXT    NOT NULL,                   -- GUID: SourceQueueManager
    time    INTEGER NOT NULL,                   -- TxSequenceID
    ordinal INTEGER NOT NULL,
    number  INTEGER NOT NULL,                   -- TxSequenceNumber
    at      INTEGER NOT NULL,                   -- milliseconds since 1970 (UTC)
    PRIMARY KEY (queue, sender)
) WITHOUT ROWID;

-- Other messages that have come, and, under DIRECT=.., those that another queue has given for there; old rows go as new
-- ones come.
CREATE TABLE msmq_seen (
    seq        INTEGER PRIMARY KEY,
    queue      TEXT    NOT NULL COLLATE NOCASE,
    lineage    TEXT    NOT NULL,                -- identifier: GUID
    uniquifier INTEGER NOT NULL,                -- identifier: number
    at         INTEGER NOT NULL,
    UNIQUE (uniquifier, lineage, queue)
);
