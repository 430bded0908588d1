-- How a ledger knows that it has lost something, and what becomes of what may be lost.

-- name: lose
-- The ledger has lost something: what waits or is claimed becomes uncertain. What has not begun
-- counts one attempt more, the one that the lost part of the ledger may have made, so that
-- no worker that has it can begin it.
UPDATE notification SET state = '{Uncertain}', owner = NULL, lane = {ClassUncertain}, not_before = $1,
    attempt = CASE state WHEN '{Sending}' THEN attempt ELSE attempt + 1 END,
    history = history || '[' || CAST($1 AS bigint) || ',"{Uncertain}",' || CASE state WHEN '{Sending}' THEN attempt ELSE attempt + 1 END || ',"{LedgerWentBack}"]'
WHERE lane BETWEEN {ClassGuarded} AND {ClassHighest} OR owner IS NOT NULL;

-- name: note_loss
-- When that was noticed; and from then on what is taken in may be what was lost.
UPDATE lineage SET noticed = $1, alive = $2, taking = 1, count = $3, server = $4, safe = $5;

-- name: went_back
-- When it was last noticed.
SELECT noticed, alive FROM lineage WHERE one = 1;

-- name: in_doubt
-- Whether the table has not been read once since.
SELECT taking = 1 AND noticed <= $1 FROM lineage WHERE one = 1;

-- name: taken_in
-- The table has been read once since.
UPDATE lineage SET taking = 0 WHERE noticed <= $1;

-- name: newest
-- What was taken in last.
SELECT max(seq) FROM notification;

-- name: used
-- Whether anything was ever taken in.
SELECT EXISTS (SELECT 1 FROM notification) OR EXISTS (SELECT 1 FROM run);

-- name: knows
-- pombo recover: whether a row was taken in.
SELECT 1 FROM notification WHERE row_key = $1 AND source = $2 LIMIT 1;

-- name: recover
-- pombo recover: what a lost ledger knew of a row, as Blip tells it.
INSERT INTO notification (state, attempt, tries, priority, lane, settle_at, settle, poll_at, created, generation, id, phone, source, row_key, message, history)
VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (row_key, source, generation) DO NOTHING;
