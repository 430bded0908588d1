-- The leases of the processes that have claimed notifications, and the pause of the bot.

-- name: renew
-- Every third of a lease: $1 has its claims for $3 ms from now on.
INSERT INTO owner (name, until) VALUES ($1, coalesce(CAST($2 AS bigint), {DatabaseClock}) + $3)
ON CONFLICT (name) DO UPDATE SET until = excluded.until RETURNING until;

-- name: owners
-- How many processes have a lease that is valid.
SELECT count(*) FROM owner WHERE until > coalesce(CAST($1 AS bigint), {DatabaseClock});

-- name: claimed_by
-- What a process has claimed or is sending, as the ledger knows it.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE owner = $1 ORDER BY seq;

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

-- name: check
-- /readyz: whether the ledger can be written to.
INSERT INTO pulse (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at;

-- name: pause
-- The bot is paused until $1 (NULL = until an operator resumes). A pause that Blip asks for
-- never shortens the one there is.
INSERT INTO pause (one, until, reason, detail, by) VALUES (1, $1, $2, $3, $4)
ON CONFLICT (one) DO UPDATE SET until = excluded.until, reason = excluded.reason, detail = excluded.detail, by = excluded.by
WHERE excluded.by = 'operator'
    OR pause.until IS NOT NULL AND (pause.until <= $5 OR excluded.until IS NULL OR pause.until < excluded.until);

-- name: resume
-- The bot is no longer paused.
DELETE FROM pause;

-- name: paused
-- Whether the bot is paused.
SELECT until, reason, detail, by FROM pause WHERE until IS NULL OR until > $1;
