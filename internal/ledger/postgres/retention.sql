-- See both/retention.sql.

-- name: erase
-- Phone and text of one that is over are erased.
UPDATE notification AS n SET message = '', phone = NULL, history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (event, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: remove
-- The rest of it is removed, a day later, provided that its row cannot be pending.
DELETE FROM notification AS n
USING unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[])) WITH ORDINALITY AS batch (seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt
    AND n.message = '' AND n.settle_at IS NULL AND n.generation = 1 AND n.seq < (SELECT max(seq) FROM notification)
    AND NOT EXISTS (SELECT 1 FROM notification AS later WHERE later.row_key = n.row_key AND later.source = n.source AND later.generation > 1)
RETURNING batch.nth;

-- name: to_phone
-- A person is to be forgotten: every notification to the phone.
SELECT seq, state, attempt, source, row_key, generation FROM notification WHERE phone = $1;
