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
-- another answer now than the one that was written (reply).
UPDATE notification AS n SET settled = batch.code,
    settle_at = CASE WHEN n.settle IS NOT NULL OR replace(batch.content, ',' || n.state || ',', '') <> batch.content
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
-- Settlement: the row diverged, is gone, or refuses the change; the history says so.
UPDATE notification AS n SET settle = batch.settle, settle_at = NULL,
    history = n.history || '[' || batch.now || ',"' || n.state || '",' || n.attempt || ',"",' || batch.detail || ',true]'
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]), CAST($4 AS bigint[]))
    WITH ORDINALITY AS batch (settle, now, detail, seq, nth)
WHERE n.seq = batch.seq AND n.settle_at IS NOT NULL
RETURNING batch.nth;
