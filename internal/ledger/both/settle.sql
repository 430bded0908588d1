-- What is owed to the company's table: settle_at says from when on.

-- name: unsettled
-- Settlement: results that may be due to be written back, the oldest first, with the answer that stands.
-- What is about to be handed over waits for that decision.
SELECT notification.seq, state, settled, notification.source, notification.row_key, notification.generation, history, settle,
    CASE WHEN settled IS NULL AND notification.generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') END,
    notification.reply, code, due, written, coalesce(at, received), kind, body
FROM notification LEFT JOIN reply ON reply.number = notification.reply
WHERE settle_at BETWEEN 0 AND $1 AND (fallback_at IS NULL OR fallback_at > $1) AND ($2 = '' OR notification.source = $2) ORDER BY settle_at, notification.seq LIMIT $3;

-- name: fallback_due
-- Fallback: which rows may be due to be handed over to another channel, the longest due first.
SELECT seq, state, attempt, settle, phone, (SELECT name FROM identity WHERE identity.phone = notification.phone), reply IS NOT NULL, message, history
FROM notification WHERE fallback_at BETWEEN 0 AND $1 ORDER BY fallback_at, seq LIMIT $2;
