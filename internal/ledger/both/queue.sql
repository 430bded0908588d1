-- The queue: what waits, what a worker has claimed, what is being sent, and what is
-- uncertain. While a notification is queued its queue class (column lane) is its priority.

-- name: latest
-- Intake: the newest generation of a row, whether it has ended, and whether it has ended
-- with the row seen in another status than pending.
SELECT generation,
    settle_at IS NULL AND state NOT IN ('{Queued}', '{Claimed}', '{Sending}', '{Uncertain}'),
    (settled IS NOT NULL OR coalesce(settle, '') IN ('{SettleWithdrawn}', 'diverged')
        OR generation > 1 AND coalesce((SELECT coalesce(before.settled, '') FROM notification AS before
            WHERE before.row_key = notification.row_key AND before.source = notification.source
                AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}'), '') <> '')
        AND settle_at IS NULL AND state NOT IN ('{Queued}', '{Claimed}', '{Sending}', '{Uncertain}')
FROM notification WHERE row_key = $1 AND source = $2
ORDER BY generation DESC LIMIT 1;

-- name: queued
-- Intake: how many are due now, so that it stops when enough wait. While the ledger may
-- have lost something, those that are uncertain for ten minutes at most count too: they
-- are what is taken in then.
SELECT sum((SELECT count(*) FROM notification WHERE lane = column1 AND not_before <= $1))
    + CASE (SELECT taking FROM lineage WHERE one = 1) WHEN 1
        THEN (SELECT count(*) FROM notification WHERE lane = {ClassUncertain} AND not_before <= $1 + 600000) ELSE 0 END
FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS priorities;

-- name: next_due
-- Delivery: when the next queued notification may be claimed.
SELECT min((SELECT min(not_before) FROM notification WHERE lane = column1))
FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS priorities;

-- name: late
-- Every second: what waits in the queue although its time is over.
SELECT seq, attempt FROM notification WHERE expires_at <= $1 AND lane <= {ClassHighest} ORDER BY expires_at LIMIT $2;

-- name: state_of
-- Delivery: why an outcome could not be recorded.
SELECT state, attempt FROM notification WHERE seq = $1;

-- name: release_parked
-- What is parked for its template goes back to the queue, some hundred at a time.
UPDATE notification SET lane = priority, not_before = $1
WHERE seq IN (SELECT seq FROM notification WHERE lane = {ClassParked} AND not_before <= $2 ORDER BY not_before, seq LIMIT {MaxReleased});

-- name: uncertain
-- The uncertain that are due for a check, the longest due first.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE lane = {ClassUncertain} AND not_before <= $1 ORDER BY not_before, seq LIMIT $2;
