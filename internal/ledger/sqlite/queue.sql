-- See both/queue.sql.

-- name: enqueue
-- Intake: a row of the table becomes a queued notification. While the ledger may have
-- lost something (lineage.taking = 1) it becomes an uncertain one. (VALUES with sub-selects:
-- INSERT … SELECT takes some percent longer.)
INSERT INTO notification (state, attempt, tries, priority, lane, not_before, expires_at, settle, run, created, generation, id, phone, source, row_key, message, history)
VALUES (CASE (SELECT taking FROM lineage WHERE one = 1) WHEN 1 THEN '{Uncertain}' ELSE '{Queued}' END, (SELECT taking FROM lineage WHERE one = 1), 0, ?1,
    CASE (SELECT taking FROM lineage WHERE one = 1) WHEN 1 THEN {ClassUncertain} ELSE ?1 END, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11,
    ?12 || CASE (SELECT taking FROM lineage WHERE one = 1) WHEN 1 THEN '[' || ?6 || ',"{Uncertain}",1,"{LedgerWentBack}"]' ELSE '' END)
ON CONFLICT (row_key, source, generation) DO NOTHING;

-- name: enqueue_again
-- Intake: a row that somebody has set back to pending gets a further generation, provided
-- that the generation ?13 is still the latest and has ended with the row seen in another
-- status than pending (as in latest).
INSERT INTO notification (state, attempt, tries, priority, lane, not_before, expires_at, settle, run, created, generation, id, phone, source, row_key, message, history)
SELECT CASE taking WHEN 1 THEN '{Uncertain}' ELSE '{Queued}' END, taking, 0, ?1, CASE taking WHEN 1 THEN {ClassUncertain} ELSE ?1 END,
    ?2, ?3, ?4, ?5, ?6, last.generation + 1, ?7, ?8, ?9, ?10, ?11,
    ?12 || CASE taking WHEN 1 THEN '[' || ?6 || ',"{Uncertain}",1,"{LedgerWentBack}"]' ELSE '' END
FROM lineage CROSS JOIN notification AS last
WHERE one = 1 AND last.row_key = ?10 AND last.source = ?9 AND last.generation = ?13
    AND (last.settled IS NOT NULL OR coalesce(last.settle, '') IN ('{SettleWithdrawn}', 'diverged')
        OR last.generation > 1 AND coalesce((SELECT coalesce(before.settled, '') FROM notification AS before
            WHERE before.row_key = last.row_key AND before.source = last.source
                AND before.generation = last.generation - 1 AND before.settle = '{SettleResent}'), '') <> '')
    AND last.settle_at IS NULL AND last.state NOT IN ('{Queued}', '{Claimed}', '{Sending}', '{Uncertain}')
ON CONFLICT (row_key, source, generation) DO NOTHING;

-- name: claim
-- Delivery: a process takes up to ?3 due notifications, by priority, then by time.
-- ?1 now, ?2 owner, ?3 limit, ?4 identities asked before this are too old.
-- (Within one priority the index has the due ones together, before those that wait for a
-- later time, which are not looked at. "+ 0", because SQLite plans a statement anew
-- whenever a bound limit changes, which costs twenty times as much as the claim.)
UPDATE notification SET state = '{Claimed}', owner = ?2, lane = NULL, history = history || '[' || ?1 || ',"{Claimed}",' || attempt || ']'
WHERE seq IN (SELECT seq FROM (
        SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 9 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 8 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 7 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 6 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 5 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 4 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 3 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 2 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 1 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
        UNION ALL SELECT * FROM (SELECT seq, lane, not_before FROM notification WHERE lane = 0 AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?3 + 0)
    ) ORDER BY lane DESC, not_before, seq LIMIT ?3 + 0)
RETURNING seq, attempt, tries, priority, not_before, expires_at,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END,
    run, created, generation, phone, source, row_key, message,
    (SELECT name FROM identity WHERE identity.phone = notification.phone AND asked > ?4);

-- name: expire
-- Delivery: what was claimed after its time is over expires.
UPDATE notification SET state = '{Expired}', owner = NULL, lane = {ClassExpired}, not_before = NULL,
    settle_at = CASE WHEN settle IS NULL AND ?1 <> '' AND coalesce(settled, '') <> ?1 THEN ?2 ELSE settle_at END, history = history || ?3
WHERE seq = ?4;

-- name: lapse
-- Every second: what waits in the queue although its time is over expires, unless somebody has
-- just claimed it.
UPDATE notification SET state = '{Expired}', owner = NULL, lane = {ClassExpired}, not_before = NULL,
    settle_at = CASE WHEN settle IS NULL AND ?1 <> '' AND coalesce(settled, '') <> ?1 THEN ?2 ELSE settle_at END, history = history || ?3
WHERE seq = ?4 AND state = '{Queued}';

-- name: begin
-- Delivery: an attempt begins. This is on disk before the first byte leaves.
UPDATE notification SET state = '{Sending}', attempt = attempt + 1, history = history || ?1
WHERE seq = ?2 AND state = '{Claimed}' AND owner IS NOT DISTINCT FROM ?3 AND attempt = ?4;

-- name: finish
-- Delivery: the outcome of an attempt, or of a check of an uncertain notification.
-- ?12 is the queue class; {ClassOfPriority} stands for that of the priority.
UPDATE notification SET state = ?1, owner = NULL, lane = CASE WHEN ?12 = {ClassOfPriority} THEN priority ELSE ?12 END, not_before = ?2, tries = tries + ?3,
    settle_at = CASE WHEN settle IS NULL AND ?4 <> '' AND coalesce(settled, '') <> ?4 THEN ?5 ELSE settle_at END,
    poll_at = ?6, fallback_at = ?13, history = history || ?7
WHERE seq = ?8 AND state = ?9 AND owner IS NOT DISTINCT FROM ?10 AND attempt = ?11;

-- name: withdraw
-- Delivery: the row's owner changed its status before anything was sent. Nothing is settled.
UPDATE notification SET state = '{Cancelled}', owner = NULL, lane = {ClassCancelled}, not_before = NULL, settle_at = NULL,
    settle = '{SettleWithdrawn}', history = history || ?1
WHERE seq = ?2 AND state = '{Claimed}' AND owner IS NOT DISTINCT FROM ?3 AND attempt = ?4;

-- name: take_uncertain
-- The uncertain that are due for a check are taken by a process: due again at ?3.
UPDATE notification SET not_before = ?3
WHERE seq IN (SELECT seq FROM notification WHERE lane = {ClassUncertain} AND not_before <= ?1 ORDER BY not_before, seq LIMIT ?2 + 0)
RETURNING seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history;

-- name: postpone
-- When an uncertain notification is checked next, and why it waits. A reason that the
-- history ends with is not repeated.
UPDATE notification SET not_before = ?1,
    history = CASE WHEN substr(history, length(history) - length(?2) + 1) = ?2 THEN history ELSE history || ?3 END
WHERE seq = ?4 AND state = '{Uncertain}' AND attempt = ?5;

-- name: retry
-- An operator retries what has ended or is uncertain. It is sent although its time is over.
UPDATE notification SET state = '{Queued}', lane = priority, not_before = ?1, tries = 0, settle_at = NULL, poll_at = NULL, fallback_at = NULL,
    expires_at = CASE WHEN expires_at <= ?1 THEN NULL ELSE expires_at END,
    settle = CASE WHEN settle = '{SettleNone}' THEN settle END, history = history || ?2
WHERE seq = ?3 AND state = ?4 AND attempt = ?5;

-- name: hasten
-- An operator retries what waits in the queue: it may go at once.
UPDATE notification SET lane = priority, not_before = ?1, history = history || ?2
WHERE seq = ?3 AND state = ?4 AND attempt = ?5;

-- name: correct
-- An operator retries with what the row of the table says now.
UPDATE notification SET message = ?1, phone = ?2 WHERE seq = ?3 AND state = ?4 AND attempt = ?5;

-- name: cancel
-- An operator cancels.
UPDATE notification SET state = '{Cancelled}', lane = {ClassCancelled}, not_before = NULL,
    settle_at = CASE WHEN settle IS NULL AND ?1 <> '' AND coalesce(settled, '') <> ?1 THEN ?2 ELSE settle_at END, history = history || ?3
WHERE seq = ?4 AND state = ?5 AND attempt = ?6;
