-- What is owed to the company's table: settle_at says from when on.

-- name: unsettled
-- Settlement: results that may be due to be written back, the oldest first.
SELECT seq, state, settled, source, row_key, generation, history,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') END
FROM notification WHERE settle_at BETWEEN 0 AND $1 AND ($2 = '' OR source = $2) ORDER BY settle_at, seq LIMIT $3;
