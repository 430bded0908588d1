-- What people and pages read: one notification, lists, counts of what is open.
--
-- The lists have the newest first: $1 and $2 are the bounds of seq, the first exclusive,
-- $3 the limit, and $4 the run (NULL = any), as far as the list has one. Each selects the numbers first and
-- reads their rows afterwards: no planner can do it the other way round.

-- name: notification
-- One notification.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq = $1;

-- name: list_newest
-- All of them.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3
) ORDER BY seq DESC;

-- name: list_part
-- Those of a run, in a state ($5) that no index has: among the next $6.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM (SELECT seq, run, state FROM notification WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $6) AS part
    WHERE (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) ORDER BY seq DESC LIMIT $3
) ORDER BY seq DESC;

-- name: list_part_by_text
-- Those whose row key begins so (from $7 to before $8), or whose id does ($9 to $10): among the next
-- $6, because there are too many to be sorted.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM (SELECT seq, run, state, row_key, id FROM notification WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $6) AS part
    WHERE (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) AND (row_key >= $7 AND row_key < $8 OR id BETWEEN $9 AND $10)
    ORDER BY seq DESC LIMIT $3
) ORDER BY seq DESC;

-- name: list_by_key
-- Those of one row: $5 state, $6 phone.
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE row_key = $7 AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) AND (CAST($6 AS bigint) IS NULL OR phone = $6)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_by_prefix
-- Those whose row key begins so: $5 state, $6 phone.
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE row_key >= $7 AND row_key < $8 AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) AND (CAST($6 AS bigint) IS NULL OR phone = $6)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_in_flight
-- Those that a worker has, claimed or sending ($5).
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE owner IS NOT NULL AND state = $5 AND (CAST($4 AS bigint) IS NULL OR run = $4)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_waiting
-- Those that are queued or uncertain: of the queue classes $5 to $6.
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE lane BETWEEN $5 AND $6 AND (CAST($4 AS bigint) IS NULL OR run = $4)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_ended
-- Those that ended badly: of the queue class $5.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE lane = $5 AND not_before IS NULL AND seq < $1 AND seq >= $2 AND (CAST($4 AS bigint) IS NULL OR run = $4)
    ORDER BY not_before DESC, seq DESC LIMIT $3
) ORDER BY seq DESC;

-- name: part
-- How far a list that goes through the ledger has come.
SELECT count(*), min(seq) FROM (SELECT seq FROM notification WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) AS part;

-- name: count_key
-- How many there are of a row, counted up to $2.
SELECT count(*) FROM (SELECT 1 FROM notification WHERE row_key = $1 LIMIT $2) AS part;

-- name: count_prefix
-- How many there are whose row key begins so, counted up to $3.
SELECT count(*) FROM (SELECT 1 FROM notification WHERE row_key >= $1 AND row_key < $2 LIMIT $3) AS part;

-- name: count_waiting
-- How many there are of some queue classes, counted up to $3.
SELECT count(*) FROM (SELECT 1 FROM notification WHERE lane BETWEEN $1 AND $2 LIMIT $3) AS part;

-- name: created_from
-- When the first one from a number on was taken in.
SELECT seq, created FROM notification WHERE seq >= $1 ORDER BY seq LIMIT 1;

-- name: backlog
-- What is open, for pombo status, /metrics and alerts.
SELECT
    (SELECT count(*) FROM notification WHERE lane BETWEEN {ClassGuarded} AND {ClassHighest}),
    (SELECT min(seq) FROM notification WHERE lane BETWEEN {ClassGuarded} AND {ClassHighest}),
    (SELECT count(*) FROM notification WHERE lane BETWEEN {ClassLowest} AND {ClassHighest} AND not_before <= $1),
    (SELECT min(not_before) FROM notification WHERE lane BETWEEN {ClassLowest} AND {ClassHighest} AND not_before <= $1),
    (SELECT count(*) FROM notification WHERE owner IS NOT NULL AND state = '{Claimed}'),
    (SELECT count(*) FROM notification WHERE owner IS NOT NULL AND state = '{Sending}'),
    (SELECT count(*) FROM notification WHERE lane = {ClassUncertain}),
    (SELECT count(*) FROM notification WHERE lane = {ClassParked}),
    (SELECT count(*) FROM notification WHERE settle_at IS NOT NULL),
    (SELECT count(*) FROM notification WHERE settle = 'diverged'),
    (SELECT count(*) FROM notification WHERE lane = {ClassGuarded}),
    (SELECT since FROM guard WHERE one = 1),
    (SELECT min(not_before) FROM notification WHERE lane = {ClassUncertain} AND not_before <= $1),
    (SELECT noticed FROM lineage WHERE one = 1);

-- name: created_of
-- When one was taken in.
SELECT created FROM notification WHERE seq = $1;

-- name: sample_later
-- Why the first of those that wait for a later time wait.
SELECT history FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE lane <= {ClassHighest} AND not_before > $1 ORDER BY seq LIMIT 300);

-- name: sample_uncertain
-- Since when the first of the uncertain are so.
SELECT history FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE lane = {ClassUncertain} ORDER BY seq LIMIT 100);

-- name: sample_owed
-- Since when the first of the results are owed to the table.
SELECT history FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE settle_at IS NOT NULL ORDER BY seq LIMIT 100);

-- name: review_open
-- Reconciliation: of the older ones (before $2) those that are open or owed, from the small indexes.
SELECT seq, state, attempt, generation, source, row_key, created,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END,
    settle, settle_at IS NOT NULL,
    NOT EXISTS (SELECT 1 FROM notification AS later WHERE later.row_key = notification.row_key AND later.source = notification.source
        AND later.generation > notification.generation),
    history
FROM notification
WHERE seq > $1 AND seq < $2 AND seq IN (
    SELECT seq FROM notification WHERE lane <= {ClassUncertain}
    UNION ALL SELECT seq FROM notification WHERE owner IS NOT NULL
    UNION ALL SELECT seq FROM notification WHERE settle_at IS NOT NULL)
ORDER BY seq LIMIT $3;

-- name: review
-- Reconciliation: the newer ones (from $2 on).
SELECT seq, state, attempt, generation, source, row_key, created,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END,
    settle, settle_at IS NOT NULL,
    NOT EXISTS (SELECT 1 FROM notification AS later WHERE later.row_key = notification.row_key AND later.source = notification.source
        AND later.generation > notification.generation),
    history
FROM notification
WHERE seq > $1 AND seq >= $2 ORDER BY seq LIMIT $3;

-- name: review_one
-- Reconciliation: one, as it is now.
SELECT seq, state, attempt, generation, source, row_key, created,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END,
    settle, settle_at IS NOT NULL,
    NOT EXISTS (SELECT 1 FROM notification AS later WHERE later.row_key = notification.row_key AND later.source = notification.source
        AND later.generation > notification.generation),
    history
FROM notification
WHERE seq = $1;

-- name: save_reconciliation
-- The result of the last reconciliation.
INSERT INTO reconciliation (one, result) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET result = excluded.result;

-- name: last_reconciliation
-- The result of the last reconciliation.
SELECT result FROM reconciliation;
