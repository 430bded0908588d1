-- See both/settle.sql.

-- name: nothing_owed
-- Settlement: the row has the code already, or keeps the one it has.
UPDATE notification AS n SET settle_at = NULL
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[])) WITH ORDINALITY AS batch (seq, state, reply, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.reply IS NOT DISTINCT FROM batch.reply
RETURNING batch.nth;

-- name: settled
-- Settlement: a code was written. content has the states that are content with it: what has
-- moved on to another stays due, unless a new generation has replaced it; and so does what has
-- another answer now than the one that was written (reply), or was handed over meanwhile.
UPDATE notification AS n SET settled = batch.code,
    settle_at = CASE WHEN n.settle <> '{SettleFallback}'
        OR replace(batch.content, ',' || CASE WHEN n.settle = '{SettleFallback}' THEN n.settle ELSE n.state END || ',', '') <> batch.content
        AND n.reply IS NOT DISTINCT FROM batch.reply THEN NULL ELSE batch.now END
FROM unnest(CAST($1 AS text[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS bigint[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (code, content, now, seq, reply, nth)
WHERE n.seq = batch.seq
RETURNING batch.nth;

-- name: settle_later
-- Settlement: the table could not take it; it is tried again later.
UPDATE notification AS n SET settle_at = batch.settle_at
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[])) WITH ORDINALITY AS batch (settle_at, seq, nth)
WHERE n.seq = batch.seq AND n.settle_at IS NOT NULL
RETURNING batch.nth;

-- name: settle_never
-- Settlement: the row diverged, is gone, or refuses the change; the history says so. Not if another
-- code (content, as in settled) or another answer is owed by now: a process that was frozen meanwhile
-- finds the row as the one after it has written it.
UPDATE notification AS n SET settle = batch.settle, settle_at = NULL,
    history = n.history || '[' || batch.now || ',"' || n.state || '",' || n.attempt || ',"",' || batch.detail || ',true]'
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]), CAST($5 AS text[]), CAST($6 AS bigint[]))
    WITH ORDINALITY AS batch (settle, now, detail, seq, content, reply, nth)
WHERE n.seq = batch.seq AND n.settle_at IS NOT NULL AND n.reply IS NOT DISTINCT FROM batch.reply
    AND replace(batch.content, ',' || CASE WHEN n.settle = '{SettleFallback}' THEN n.settle ELSE n.state END || ',', '') <> batch.content
RETURNING batch.nth;

-- name: hand_over
-- Fallback: the row is owed the code of the other channel, and nothing after it.
UPDATE notification AS n SET settle = '{SettleFallback}', fallback_at = NULL, settle_at = batch.now, history = n.history || batch.event
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS text[]), CAST($5 AS bigint[]))
    WITH ORDINALITY AS batch (now, event, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt AND n.settle IS NULL AND n.reply IS NULL AND n.fallback_at IS NOT NULL
RETURNING batch.nth;

-- name: not_handed_over
-- Fallback: the row is not handed over, or looked at again later.
UPDATE notification AS n SET fallback_at = batch.fallback_at
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (fallback_at, seq, state, attempt, nth)
WHERE n.seq = batch.seq AND n.state = batch.state AND n.attempt = batch.attempt AND n.fallback_at IS NOT NULL
RETURNING batch.nth;
