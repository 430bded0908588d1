-- See both/receipts.sql.

-- name: standing
-- Where the notification with an id stands. Ids are indexed in blocks of 4,096 rows, the
-- newest of which is searched first; the column has the first half of the id.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM notification) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
)
SELECT seq, state, attempt, message = '', resends, source, row_key, generation, reply IS NOT NULL
FROM block CROSS JOIN notification WHERE (seq >> 12) = b AND id = ?1;

-- name: apply
-- A receipt moves a notification forward.
UPDATE notification SET state = ?1, owner = NULL, lane = ?10, not_before = NULL,
    settle_at = CASE WHEN settle IS NULL AND ?2 <> '' AND coalesce(settled, '') <> ?2 THEN coalesce(settle_at, ?3) ELSE settle_at END,
    poll_at = CASE WHEN ?4 THEN NULL ELSE coalesce(poll_at, ?5) END,
    fallback_at = CASE WHEN settle IS NOT NULL THEN NULL WHEN ?1 IN ('{Accepted}', '{Dispatched}') THEN coalesce(fallback_at, ?11) ELSE ?11 END,
    history = history || ?6
WHERE seq = ?7 AND state = ?8 AND attempt = ?9;

-- name: resend
-- A failed message is sent again, as a new generation with another id. Unless an operator
-- says so (?8), not one whose row was changed or taken away, nor one that would come too
-- late; and while Blip remembers what a lost part of the ledger may have sent, it is
-- uncertain first.
INSERT INTO notification (state, attempt, tries, priority, not_before, lane, expires_at, settle, created, generation, resends, id, phone, source, row_key, message, history)
SELECT CASE WHEN lost.lately THEN '{Uncertain}' ELSE '{Queued}' END, CASE WHEN lost.lately THEN 1 ELSE 0 END, 0, failed.priority, ?1,
    CASE WHEN lost.lately THEN {ClassUncertain} ELSE failed.priority END, CASE WHEN failed.expires_at > ?1 THEN failed.expires_at END,
    CASE WHEN failed.settle = '{SettleNone}' THEN failed.settle END, ?2, failed.generation + 1, ?3, ?4, failed.phone, failed.source, failed.row_key, failed.message,
    ?5 || CASE WHEN lost.lately THEN '[' || ?2 || ',"{Uncertain}",1,"{Interrupted}"]' ELSE '' END
FROM notification AS failed
CROSS JOIN (SELECT NOT ?8 AND EXISTS (SELECT 1 FROM lineage WHERE noticed > ?2 - {BlipRemembers}) AS lately) AS lost
WHERE failed.seq = ?6 AND failed.state = '{Failed}' AND failed.attempt = ?7 AND failed.message <> ''
    AND (?8 OR (failed.settle IS NULL OR failed.settle = '{SettleNone}') AND (failed.expires_at IS NULL OR failed.expires_at > ?1))
ON CONFLICT (row_key, source, generation) DO NOTHING;

-- name: replaced
-- The generation that was sent again owes nothing any more; the next one settles.
UPDATE notification SET settle = CASE WHEN settle = '{SettleNone}' THEN settle ELSE '{SettleResent}' END, settle_at = NULL, fallback_at = NULL,
    settled = nullif(CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') ELSE settled END, ''),
    history = history || ?1
WHERE seq = ?2 AND state = '{Failed}' AND attempt = ?3;

-- name: polled
-- When Blip is asked next.
UPDATE notification SET poll_at = ?1 WHERE seq = ?2 AND poll_at IS NOT NULL;

-- name: remember_identity
-- What Blip calls a phone.
INSERT INTO identity (phone, name, asked) VALUES (?1, ?2, ?3)
ON CONFLICT (phone) DO UPDATE SET name = excluded.name, asked = excluded.asked;
