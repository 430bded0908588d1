-- See both/replies.sql.

-- name: reply_candidates
-- What went, or is to go, to a phone: the newest.
SELECT seq, state, attempt, settle, reply, phone, source, row_key, generation, message, history
FROM notification WHERE phone = $1 ORDER BY seq DESC LIMIT $2;

-- name: seq_of_reference
-- The message that Blip calls so.
SELECT seq FROM message_reference WHERE reference = $1 ORDER BY seq DESC LIMIT 1;

-- name: keep_reference
-- A receipt says what else Blip calls the message.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[])) WITH ORDINALITY AS b (seq, reference, nth)
), changed AS (
    INSERT INTO message_reference (seq, reference) SELECT batch.seq, batch.reference FROM batch ORDER BY batch.nth
    ON CONFLICT (seq) DO NOTHING RETURNING seq
)
SELECT batch.nth FROM changed JOIN batch ON changed.seq = batch.seq;

-- name: keep_identity
-- A receipt says what Blip calls the person, which it was asked before the message was sent.
WITH batch AS MATERIALIZED (
    SELECT n.phone, b.name, n.created, b.nth
    FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[])) WITH ORDINALITY AS b (seq, name, nth) JOIN notification AS n ON n.seq = b.seq
    WHERE n.phone IS NOT NULL
), changed AS (
    INSERT INTO identity (phone, name, asked) SELECT batch.phone, batch.name, batch.created FROM batch ORDER BY batch.phone, batch.nth
    ON CONFLICT (phone) DO NOTHING RETURNING phone
)
SELECT batch.nth FROM changed JOIN batch ON changed.phone = batch.phone;

-- name: start_reply_poll
-- A message has arrived, and its recipient's answer is waited for.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[])) WITH ORDINALITY AS b (seq, next, nth)
), changed AS (
    INSERT INTO reply_poll (seq, next, polls) SELECT batch.seq, batch.next, 0 FROM batch ORDER BY batch.nth
    ON CONFLICT (seq) DO NOTHING RETURNING seq
)
SELECT batch.nth FROM changed JOIN batch ON changed.seq = batch.seq;
