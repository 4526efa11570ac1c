-- Version 2: what a person wants to see of the messages.
CREATE VIEW comqc_messages AS
SELECT q.name AS queue,
       m.place,
       '{' || m.lineage || '}\' || m.uniquifier AS identifier,
       m.label,
       m.priority,
       m.size,
       datetime(m.sent / 1000, 'unixepoch') AS sent,
       datetime(m.due / 1000, 'unixepoch') AS due,
       datetime(m.expires / 1000, 'unixepoch') AS expires,
       (SELECT h.pid FROM comqc_holder h WHERE h.id = q.holder AND q.locked = m.seq) AS locked_by_process,
       m.round,
       m.failures,
       m.abandoned,
       m.dead,
       m.error
FROM comqc_message m
JOIN comqc_queue q ON q.id = m.queue
ORDER BY q.name, m.place, m.priority DESC, m.seq;
