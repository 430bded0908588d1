-- Of a ledger that is a file, which one process at a time works on.

-- name: take_over_leases
-- At the start: no other process is alive, so all leases are over.
DELETE FROM owner;

-- name: take_over_runs
-- At the start: a run that was taking in takes in no more.
UPDATE run SET taking = 0, error = ?1, last_seq = (SELECT max(seq) FROM notification)
WHERE finished IS NULL AND taking = 1;

-- name: mark
-- At the start: by what the file is known.
SELECT id, count FROM lineage;

-- name: changes
-- Every second: whether anything was written since.
SELECT total_changes();

-- name: count_mark
-- Every second in which something was written: the file counts up, and the mark beside it follows.
UPDATE lineage SET count = count + 1 RETURNING id, count;

-- name: begin_transaction
-- Each transaction. It takes the lock at once: one that reads first could find the lock taken when it
-- wants to write, and would have to start again.
BEGIN IMMEDIATE;

-- name: commit
-- The end of each transaction: what it has changed is on the disk.
COMMIT;

-- name: rollback
-- A transaction that failed: it has changed nothing.
ROLLBACK;

-- name: outbox_of_change
-- Once for each process that has EVENTS_URL, on the connection that writes: a change of state
-- writes its event. The change is what the statement has added to the history.
CREATE TEMP TRIGGER outbox_of_change AFTER UPDATE OF state ON main.notification
WHEN new.state <> old.state
    AND new.state IN ('{Accepted}', '{Dispatched}', '{Delivered}', '{Read}', '{Failed}', '{Uncertain}', '{Suppressed}', '{Expired}', '{Cancelled}')
    AND NOT (new.state IN ('{Accepted}', '{Dispatched}') AND old.state IN ('{Accepted}', '{Dispatched}'))
BEGIN
    INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
    SELECT 'notification.' || CASE new.state WHEN '{Dispatched}' THEN '{Accepted}' ELSE new.state END,
        'row:' || new.source || ':' || new.row_key, coalesce(json_extract(change, '$[#-1][0]'), new.created),
        new.source, new.row_key, new.generation,
        CASE new.message WHEN '' THEN '?' ELSE coalesce(json_extract(new.message, '$[1]'), '') END,
        new.state, coalesce(json_extract(change, '$[#-1][3]'), ''), new.attempt, '', coalesce(json_extract(change, '$[#-1][0]'), new.created)
    FROM (SELECT '[' || replace(substr(new.history, length(old.history) + 1), '][', '],[') || ']' AS change);
END;

-- name: outbox_of_fallback
-- The same for a row that is handed over to another channel, which changes no state.
CREATE TEMP TRIGGER outbox_of_fallback AFTER UPDATE OF settle ON main.notification
WHEN new.settle = '{SettleFallback}' AND old.settle IS NOT new.settle
BEGIN
    INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
    SELECT 'notification.handed_over', 'row:' || new.source || ':' || new.row_key, coalesce(json_extract(change, '$[#-1][0]'), new.created),
        new.source, new.row_key, new.generation,
        CASE new.message WHEN '' THEN '?' ELSE coalesce(json_extract(new.message, '$[1]'), '') END,
        new.state, coalesce(json_extract(change, '$[#-1][3]'), ''), new.attempt, '', coalesce(json_extract(change, '$[#-1][0]'), new.created)
    FROM (SELECT '[' || replace(substr(new.history, length(old.history) + 1), '][', '],[') || ']' AS change);
END;

-- name: outbox_of_intake
-- The same for what begins in a state other than {Queued}: a lost ledger is rebuilt, or takes in
-- what it may have sent.
CREATE TEMP TRIGGER outbox_of_intake AFTER INSERT ON main.notification
WHEN new.state IN ('{Accepted}', '{Dispatched}', '{Delivered}', '{Read}', '{Failed}', '{Uncertain}', '{Suppressed}', '{Expired}', '{Cancelled}')
BEGIN
    INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
    SELECT 'notification.' || CASE new.state WHEN '{Dispatched}' THEN '{Accepted}' ELSE new.state END,
        'row:' || new.source || ':' || new.row_key, coalesce(json_extract(change, '$[#-1][0]'), new.created),
        new.source, new.row_key, new.generation,
        CASE new.message WHEN '' THEN '?' ELSE coalesce(json_extract(new.message, '$[1]'), '') END,
        new.state, coalesce(json_extract(change, '$[#-1][3]'), ''), new.attempt, '', coalesce(json_extract(change, '$[#-1][0]'), new.created)
    FROM (SELECT '[' || replace(new.history, '][', '],[') || ']' AS change);
END;
