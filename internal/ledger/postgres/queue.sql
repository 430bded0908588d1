-- See both/queue.sql.

-- name: enqueue
-- Intake: a row of the table becomes a queued notification. While the ledger may have
-- lost something (lineage.taking = 1) it becomes an uncertain one.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]), CAST($6 AS bigint[]),
            CAST($7 AS bigint[]), CAST($8 AS bigint[]), CAST($9 AS text[]), CAST($10 AS text[]), CAST($11 AS text[]), CAST($12 AS text[]))
        WITH ORDINALITY AS b (priority, not_before, expires_at, settle, run, created, id, phone, source, row_key, message, history, nth)
), changed AS (
    INSERT INTO notification (state, attempt, tries, priority, lane, not_before, expires_at, settle, run, created, generation, id, phone, source, row_key, message, history)
    SELECT CASE lineage.taking WHEN 1 THEN '{Uncertain}' ELSE '{Queued}' END, lineage.taking, 0,
        batch.priority, CASE lineage.taking WHEN 1 THEN {ClassUncertain} ELSE batch.priority END,
        batch.not_before, batch.expires_at, batch.settle, batch.run, batch.created, 1, batch.id, batch.phone, batch.source, batch.row_key, batch.message,
        batch.history || CASE lineage.taking WHEN 1 THEN '[' || batch.created || ',"{Uncertain}",1,"{LedgerWentBack}"]' ELSE '' END
    FROM batch CROSS JOIN lineage WHERE lineage.one = 1
    ORDER BY batch.nth -- numbers are given in the order of the page
    ON CONFLICT (row_key, source, generation) DO NOTHING
    RETURNING source, row_key
)
SELECT batch.nth FROM changed JOIN batch ON changed.source = batch.source AND changed.row_key = batch.row_key;

-- name: enqueue_again
-- Intake: a row that somebody has set back to pending gets a further generation, provided
-- that the generation $13 is still the latest and has ended with the row seen in another
-- status than pending (as in latest).
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]), CAST($6 AS bigint[]),
            CAST($7 AS bigint[]), CAST($8 AS bigint[]), CAST($9 AS text[]), CAST($10 AS text[]), CAST($11 AS text[]), CAST($12 AS text[]), CAST($13 AS bigint[]))
        WITH ORDINALITY AS b (priority, not_before, expires_at, settle, run, created, id, phone, source, row_key, message, history, latest, nth)
), changed AS (
    INSERT INTO notification (state, attempt, tries, priority, lane, not_before, expires_at, settle, run, created, generation, id, phone, source, row_key, message, history)
    SELECT CASE lineage.taking WHEN 1 THEN '{Uncertain}' ELSE '{Queued}' END, lineage.taking, 0,
        batch.priority, CASE lineage.taking WHEN 1 THEN {ClassUncertain} ELSE batch.priority END,
        batch.not_before, batch.expires_at, batch.settle, batch.run, batch.created, last.generation + 1, batch.id, batch.phone, batch.source, batch.row_key, batch.message,
        batch.history || CASE lineage.taking WHEN 1 THEN '[' || batch.created || ',"{Uncertain}",1,"{LedgerWentBack}"]' ELSE '' END
    FROM batch CROSS JOIN lineage
    JOIN notification AS last ON last.row_key = batch.row_key AND last.source = batch.source AND last.generation = batch.latest
    WHERE lineage.one = 1
        AND (last.settled IS NOT NULL OR coalesce(last.settle, '') IN ('{SettleWithdrawn}', 'diverged')
            OR last.generation > 1 AND coalesce((SELECT coalesce(before.settled, '') FROM notification AS before
                WHERE before.row_key = last.row_key AND before.source = last.source
                    AND before.generation = last.generation - 1 AND before.settle = '{SettleResent}'), '') <> '')
        AND last.settle_at IS NULL AND last.state NOT IN ('{Queued}', '{Claimed}', '{Sending}', '{Uncertain}')
    ORDER BY batch.nth
    ON CONFLICT (row_key, source, generation) DO NOTHING
    RETURNING source, row_key
)
SELECT batch.nth FROM changed JOIN batch ON changed.source = batch.source AND changed.row_key = batch.row_key;

-- name: claim
-- Delivery: a process takes up to $3 due notifications, by priority, then by time. It locks
-- what it takes and passes over what others have locked.
-- $1 now, $2 owner, $3 limit, $4 identities asked before this are too old.
UPDATE notification SET state = '{Claimed}', owner = $2, lane = NULL,
    history = history || '[' || CAST($1 AS bigint) || ',"{Claimed}",' || attempt || ']'
WHERE seq = ANY (ARRAY (
    SELECT due.seq FROM (VALUES (9), (8), (7), (6), (5), (4), (3), (2), (1), (0)) AS priority (lane)
    CROSS JOIN LATERAL (
        SELECT n.seq FROM notification AS n WHERE n.lane = priority.lane AND n.not_before <= $1
        ORDER BY n.not_before, n.seq LIMIT $3 FOR UPDATE SKIP LOCKED
    ) AS due LIMIT $3
))
RETURNING seq, attempt, tries, priority, not_before, expires_at,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END,
    run, created, generation, phone, source, row_key, message,
    (SELECT name FROM identity WHERE identity.phone = notification.phone AND asked > $4);

-- name: expire
-- Delivery: what was claimed after its time is over expires.
UPDATE notification AS n SET state = '{Expired}', owner = NULL, lane = {ClassExpired}, not_before = NULL,
    settle_at = CASE WHEN n.settle IS NULL AND batch.code <> '' AND coalesce(n.settled, '') <> batch.code THEN batch.now ELSE n.settle_at END,
    history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (code, now, event, seq, nth)
WHERE n.seq = batch.seq
RETURNING batch.nth;

-- name: lapse
-- Every second: what waits in the queue although its time is over expires, unless somebody has
-- just claimed it.
UPDATE notification AS n SET state = '{Expired}', owner = NULL, lane = {ClassExpired}, not_before = NULL,
    settle_at = CASE WHEN n.settle IS NULL AND batch.code <> '' AND coalesce(n.settled, '') <> batch.code THEN batch.now ELSE n.settle_at END,
    history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (code, now, event, seq, nth)
WHERE n.seq = batch.seq AND n.state = '{Queued}'
RETURNING batch.nth;

-- name: begin
-- Delivery: an attempt begins. This is on disk before the first byte leaves. (Here and below,
-- IS NOT DISTINCT FROM and not =, because a planner that knows the index of the owners would go
-- by that one, from all that is claimed.)
UPDATE notification AS n SET state = '{Sending}', attempt = n.attempt + 1, history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (event, seq, owner, attempt, nth)
WHERE n.seq = batch.seq AND n.state = '{Claimed}' AND n.owner IS NOT DISTINCT FROM batch.owner AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: finish
-- Delivery: the outcome of an attempt, or of a check of an uncertain notification.
-- $12 is the queue class; {ClassOfPriority} stands for that of the priority.
UPDATE notification AS n SET state = batch.state, owner = NULL,
    lane = CASE WHEN batch.lane = {ClassOfPriority} THEN n.priority ELSE batch.lane END,
    not_before = batch.not_before, tries = n.tries + batch.counted,
    settle_at = CASE WHEN n.settle IS NULL AND batch.code <> '' AND coalesce(n.settled, '') <> batch.code THEN batch.now ELSE n.settle_at END,
    poll_at = batch.poll_at, fallback_at = batch.fallback_at, history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]), CAST($6 AS bigint[]),
        CAST($7 AS text[]), CAST($8 AS bigint[]), CAST($9 AS text[]), CAST($10 AS text[]), CAST($11 AS bigint[]), CAST($12 AS bigint[]), CAST($13 AS bigint[]))
    WITH ORDINALITY AS batch (state, not_before, counted, code, now, poll_at, event, seq, from_state, owner, attempt, lane, fallback_at, nth)
WHERE n.seq = batch.seq AND n.state = batch.from_state AND n.owner IS NOT DISTINCT FROM batch.owner AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: withdraw
-- Delivery: the row's owner changed its status before anything was sent. Nothing is settled.
UPDATE notification AS n SET state = '{Cancelled}', owner = NULL, lane = {ClassCancelled}, not_before = NULL, settle_at = NULL,
    settle = '{SettleWithdrawn}', history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (event, seq, owner, attempt, nth)
WHERE n.seq = batch.seq AND n.state = '{Claimed}' AND n.owner IS NOT DISTINCT FROM batch.owner AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: take_uncertain
-- The uncertain that are due for a check are taken by a process: due again at $3.
UPDATE notification SET not_before = $3
WHERE seq IN (SELECT seq FROM notification WHERE lane = {ClassUncertain} AND not_before <= $1
    ORDER BY not_before, seq LIMIT $2 + 0 FOR UPDATE SKIP LOCKED)
RETURNING seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history;

-- name: postpone
-- When an uncertain notification is checked next, and why it waits. A reason that the
-- history ends with is not repeated.
UPDATE notification AS n SET not_before = batch.not_before,
    history = CASE WHEN substr(n.history, length(n.history) - length(batch.same) + 1) = batch.same THEN n.history ELSE n.history || batch.event END
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (not_before, same, event, seq, attempt, nth)
WHERE n.seq = batch.seq AND n.state = '{Uncertain}' AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: retry
-- An operator retries what has ended or is uncertain. It is sent although its time is over.
UPDATE notification AS n SET state = '{Queued}', lane = n.priority, not_before = batch.now, tries = 0, settle_at = NULL, poll_at = NULL, fallback_at = NULL,
    expires_at = CASE WHEN n.expires_at <= batch.now THEN NULL ELSE n.expires_at END,
    settle = CASE WHEN n.settle = '{SettleNone}' THEN n.settle END, history = n.history || batch.event
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (now, event, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: hasten
-- An operator retries what waits in the queue: it may go at once.
UPDATE notification AS n SET lane = n.priority, not_before = batch.now, history = n.history || batch.event
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (now, event, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: correct
-- An operator retries with what the row of the table says now.
UPDATE notification AS n SET message = batch.message, phone = batch.phone
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (message, phone, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: cancel
-- An operator cancels.
UPDATE notification AS n SET state = '{Cancelled}', lane = {ClassCancelled}, not_before = NULL,
    settle_at = CASE WHEN n.settle IS NULL AND batch.code <> '' AND coalesce(n.settled, '') <> batch.code THEN batch.now ELSE n.settle_at END,
    history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS text[]), CAST($6 AS bigint[]))
    WITH ORDINALITY AS batch (code, now, event, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
RETURNING batch.nth;
