-- What the processes have in common that share the ledger. Times that leases are judged by
-- are the database's: $n is NULL, except in tests.

-- name: clock
-- At the start: the database's clock.
SELECT coalesce(CAST($1 AS bigint), {DatabaseClock});

-- name: acquire_leadership
-- Every few seconds: one process at a time does a job for all of them. Nothing is written
-- while another one leads, so that waiting costs the server a look only.
INSERT INTO duty (name, owner, until)
SELECT $1, $2, coalesce(CAST($3 AS bigint), {DatabaseClock}) + $4
WHERE NOT EXISTS (SELECT 1 FROM duty WHERE name = $1 AND owner <> $2 AND until > coalesce(CAST($3 AS bigint), {DatabaseClock}))
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE duty.owner = excluded.owner OR duty.until <= excluded.until - $4
RETURNING 1;

-- name: led
-- Whether some process does a job at present.
SELECT 1 FROM duty WHERE name = $1 AND until > coalesce(CAST($2 AS bigint), {DatabaseClock});

-- name: release_leadership
-- The process leaves the job to another one.
DELETE FROM duty WHERE name = $1 AND owner = $2;

-- name: acquire_quota
-- Rates: calls of the kind $1 that lie $2 ms apart are handed out, $3 at most and none for
-- later than $4 ms from now. Returned are how many, and in how many ms the first may be made.
-- (The row that was to be inserted tells what the time was.)
INSERT INTO quota (name, next, granted)
SELECT $1, first.now + first.granted * CAST($2 AS double precision), first.granted
FROM (SELECT CAST(coalesce(CAST($5 AS bigint), {DatabaseClock}) AS double precision) AS now,
    least(CAST($3 AS integer), CAST(floor(CAST($4 AS double precision) / CAST($2 AS double precision)) AS integer) + 1) AS granted) AS first
ON CONFLICT (name) DO UPDATE SET
    next = greatest(quota.next, excluded.next - excluded.granted * CAST($2 AS double precision)) + CAST($2 AS double precision)
        * greatest(0, least(CAST($3 AS integer), CAST(floor((excluded.next - excluded.granted * CAST($2 AS double precision) + CAST($4 AS double precision)
            - greatest(quota.next, excluded.next - excluded.granted * CAST($2 AS double precision))) / CAST($2 AS double precision)) AS integer) + 1)),
    granted = greatest(0, least(CAST($3 AS integer), CAST(floor((excluded.next - excluded.granted * CAST($2 AS double precision) + CAST($4 AS double precision)
        - greatest(quota.next, excluded.next - excluded.granted * CAST($2 AS double precision))) / CAST($2 AS double precision)) AS integer) + 1))
RETURNING granted, next - granted * CAST($2 AS double precision) - coalesce(CAST($5 AS bigint), {DatabaseClock});

-- name: acquire_recipient
-- Delivery: the next message to a phone may go, and the one after it later. Nothing
-- changes while it is too early.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[]), CAST($3 AS bigint[])) WITH ORDINALITY AS b (phone, gap, now, nth)
), changed AS (
    INSERT INTO recipient (phone, last, free)
    SELECT batch.phone, coalesce(batch.now, {DatabaseClock}), coalesce(batch.now, {DatabaseClock}) + batch.gap
    FROM batch ORDER BY batch.nth
    ON CONFLICT (phone) DO UPDATE SET last = excluded.last, free = excluded.free WHERE recipient.free <= excluded.last
    RETURNING phone
)
SELECT batch.nth FROM changed JOIN batch ON changed.phone = batch.phone;

-- name: recipient_wait
-- Delivery: in how many ms the next message to a phone may go.
SELECT free - coalesce(CAST($2 AS bigint), {DatabaseClock}) FROM recipient WHERE phone = $1;

-- name: prune_recipients
-- With each lease: what is long over is removed.
DELETE FROM recipient WHERE free < coalesce(CAST($1 AS bigint), {DatabaseClock}) - 60000;

-- name: prune_writers
-- With each lease: what is long over is removed.
DELETE FROM writer WHERE seen < coalesce(CAST($1 AS bigint), {DatabaseClock}) - CAST($2 AS bigint);

-- name: end_orphan_runs
-- A run whose process has written nothing for as long as a lease takes in no more.
UPDATE run SET taking = 0, error = $1, last_seq = coalesce((SELECT max(seq) FROM notification), 0)
WHERE finished IS NULL AND taking = 1
    AND NOT EXISTS (SELECT 1 FROM writer WHERE name = taker AND seen > coalesce(CAST($2 AS bigint), {DatabaseClock}) - CAST($3 AS bigint));

-- name: end_own_runs
-- A process ends: its run takes in no more.
UPDATE run SET taking = 0, error = $1, last_seq = coalesce((SELECT max(seq) FROM notification), 0)
WHERE finished IS NULL AND taking = 1 AND taker = $2;

-- name: end_lease
-- A process ends: its lease is over.
DELETE FROM owner WHERE name = $1;

-- name: end_leadership
-- A process ends: others may do its jobs at once.
DELETE FROM duty WHERE owner = $1;

-- name: forget_recipient
-- A person is forgotten.
DELETE FROM recipient WHERE phone = $1;
