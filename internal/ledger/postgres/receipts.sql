-- See both/receipts.sql.

-- name: standing
-- Where the notification with an id stands. The column has the first half of the id.
SELECT seq, state, attempt, message = '', resends, source, row_key, generation, reply IS NOT NULL FROM notification WHERE id = $1;

-- name: apply
-- A receipt moves a notification forward.
UPDATE notification AS n SET state = batch.state, owner = NULL, lane = batch.lane, not_before = NULL,
    settle_at = CASE WHEN n.settle IS NULL AND batch.code <> '' AND coalesce(n.settled, '') <> batch.code THEN coalesce(n.settle_at, batch.now) ELSE n.settle_at END,
    poll_at = CASE WHEN batch.over THEN NULL ELSE coalesce(n.poll_at, batch.poll_at) END,
    fallback_at = CASE WHEN n.settle IS NOT NULL THEN NULL WHEN batch.state IN ('{Accepted}', '{Dispatched}') THEN coalesce(n.fallback_at, batch.fallback_at) ELSE batch.fallback_at END,
    history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS text[]), CAST($3 AS bigint[]), CAST($4 AS boolean[]), CAST($5 AS bigint[]), CAST($6 AS text[]),
        CAST($7 AS bigint[]), CAST($8 AS text[]), CAST($9 AS bigint[]), CAST($10 AS bigint[]), CAST($11 AS bigint[]))
    WITH ORDINALITY AS batch (state, code, now, over, poll_at, event, seq, from_state, attempt, lane, fallback_at, nth)
WHERE n.seq = batch.seq AND n.state = batch.from_state AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: resend
-- A failed message is sent again, as a new generation with another id. Unless an operator
-- says so (by_hand), not one whose row was changed or taken away, nor one that would come too
-- late; and while Blip remembers what a lost part of the ledger may have sent, it is
-- uncertain first.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[]), CAST($3 AS bigint[]), CAST($4 AS bigint[]), CAST($5 AS text[]),
            CAST($6 AS bigint[]), CAST($7 AS bigint[]), CAST($8 AS boolean[]))
        WITH ORDINALITY AS b (not_before, now, resends, id, event, seq, attempt, by_hand, nth)
), changed AS (
    INSERT INTO notification (state, attempt, tries, priority, not_before, lane, expires_at, settle, created, generation, resends, id, phone, source, row_key, message, history)
    SELECT CASE WHEN lost.lately THEN '{Uncertain}' ELSE '{Queued}' END, CASE WHEN lost.lately THEN 1 ELSE 0 END, 0, failed.priority, batch.not_before,
        CASE WHEN lost.lately THEN {ClassUncertain} ELSE failed.priority END, CASE WHEN failed.expires_at > batch.not_before THEN failed.expires_at END,
        CASE WHEN failed.settle = '{SettleNone}' THEN failed.settle END, batch.now, failed.generation + 1, batch.resends, batch.id, failed.phone,
        failed.source, failed.row_key, failed.message,
        batch.event || CASE WHEN lost.lately THEN '[' || batch.now || ',"{Uncertain}",1,"{Interrupted}"]' ELSE '' END
    FROM batch JOIN notification AS failed ON failed.seq = batch.seq AND failed.attempt = batch.attempt
    CROSS JOIN LATERAL (SELECT NOT batch.by_hand AND EXISTS (SELECT 1 FROM lineage WHERE noticed > batch.now - {BlipRemembers}) AS lately) AS lost
    WHERE failed.state = '{Failed}' AND failed.message <> ''
        AND (batch.by_hand OR (failed.settle IS NULL OR failed.settle = '{SettleNone}') AND (failed.expires_at IS NULL OR failed.expires_at > batch.not_before))
    ORDER BY batch.nth
    ON CONFLICT (row_key, source, generation) DO NOTHING
    RETURNING id
)
SELECT batch.nth FROM changed JOIN batch ON changed.id = batch.id;

-- name: replaced
-- The generation that was sent again owes nothing any more; the next one settles.
UPDATE notification AS n SET settle = CASE WHEN n.settle = '{SettleNone}' THEN n.settle ELSE '{SettleResent}' END, settle_at = NULL, fallback_at = NULL,
    settled = nullif(CASE WHEN n.settled IS NULL AND n.generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = n.row_key AND before.source = n.source
            AND before.generation = n.generation - 1 AND before.settle = '{SettleResent}') ELSE n.settled END, ''),
    history = n.history || batch.event
FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS bigint[])) WITH ORDINALITY AS batch (event, seq, attempt, nth)
WHERE n.seq = batch.seq AND n.state = '{Failed}' AND n.attempt = batch.attempt
RETURNING batch.nth;

-- name: polled
-- When Blip is asked next.
UPDATE notification AS n SET poll_at = batch.poll_at
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS bigint[])) WITH ORDINALITY AS batch (poll_at, seq, nth)
WHERE n.seq = batch.seq AND n.poll_at IS NOT NULL
RETURNING batch.nth;

-- name: remember_identity
-- What Blip calls a phone.
WITH batch AS MATERIALIZED (
    SELECT * FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[])) WITH ORDINALITY AS b (phone, name, asked, nth)
), changed AS (
    INSERT INTO identity (phone, name, asked) SELECT batch.phone, batch.name, batch.asked FROM batch ORDER BY batch.nth
    ON CONFLICT (phone) DO UPDATE SET name = excluded.name, asked = excluded.asked
    RETURNING phone
)
SELECT batch.nth FROM changed JOIN batch ON changed.phone = batch.phone;
