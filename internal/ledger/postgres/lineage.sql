-- See both/lineage.sql.

-- name: end_doubt
-- The row, or Blip, says what became of an uncertain notification.
UPDATE notification AS n SET state = batch.state, lane = batch.lane, not_before = NULL, settle = batch.settle,
    settled = coalesce(batch.settled, n.settled), settle_at = NULL, poll_at = batch.poll_at, history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS text[]), CAST($5 AS bigint[]), CAST($6 AS text[]),
        CAST($7 AS bigint[]), CAST($8 AS bigint[]))
    WITH ORDINALITY AS batch (state, lane, settle, settled, poll_at, event, seq, attempt, nth)
WHERE n.seq = batch.seq AND n.state = '{Uncertain}' AND n.attempt = batch.attempt
RETURNING batch.nth;
