-- The leases of the processes that have claimed notifications, and the pause of the bot.

-- name: renew
-- Every third of a lease: $1 has its claims for $3 ms from now on.
INSERT INTO owner (name, until) VALUES ($1, coalesce(CAST($2 AS bigint), {DatabaseClock}) + $3)
ON CONFLICT (name) DO UPDATE SET until = excluded.until RETURNING until;

-- name: owners
-- How many processes have a lease that is valid.
SELECT count(*) FROM owner WHERE until > coalesce(CAST($1 AS bigint), {DatabaseClock});

-- name: reclaim_claimed
-- What a process without a valid lease has claimed goes back to the queue.
UPDATE notification SET state = '{Queued}', owner = NULL, lane = priority, not_before = $1,
    history = history || '[' || CAST($1 AS bigint) || ',"{Queued}",' || attempt || ',"{LeaseOver}"]'
WHERE state = '{Claimed}' AND owner IS NOT NULL
    AND owner NOT IN (SELECT name FROM owner AS valid WHERE valid.until > coalesce(CAST($2 AS bigint), {DatabaseClock}));

-- name: reclaim_sending
-- What a process without a valid lease was sending is uncertain.
UPDATE notification SET state = '{Uncertain}', owner = NULL, lane = {ClassUncertain}, not_before = $1,
    history = history || '[' || CAST($1 AS bigint) || ',"{Uncertain}",' || attempt || ',"{Interrupted}"]'
WHERE state = '{Sending}' AND owner IS NOT NULL
    AND owner NOT IN (SELECT name FROM owner AS valid WHERE valid.until > coalesce(CAST($2 AS bigint), {DatabaseClock}));

-- name: end_leases
-- Leases that are over.
DELETE FROM owner WHERE until <= coalesce(CAST($1 AS bigint), {DatabaseClock});
