-- What is owed to the company's table: settle_at says from when on.

-- name: unsettled
-- Settlement: results that may be due to be written back, the oldest first.
SELECT seq, state, settled, source, row_key, generation, history,
    CASE WHEN settled IS NULL AND generation > 1 THEN (SELECT coalesce(before.settled, '') FROM notification AS before
        WHERE before.row_key = notification.row_key AND before.source = notification.source
            AND before.generation = notification.generation - 1 AND before.settle = '{SettleResent}') END
FROM notification WHERE settle_at BETWEEN 0 AND ?1 AND (?2 = '' OR source = ?2) ORDER BY settle_at, seq LIMIT ?3;

-- name: nothing_owed
-- Settlement: the row has the code already, or keeps the one it has.
UPDATE notification SET settle_at = NULL WHERE seq = ?1 AND state = ?2;

-- name: settled
-- Settlement: the code ?1 was written. ?2 has the states that are content with it: what has
-- moved on to another stays due, unless a new generation has replaced it.
UPDATE notification SET settled = ?1, settle_at = CASE WHEN settle IS NOT NULL OR replace(?2, ',' || state || ',', '') <> ?2 THEN NULL ELSE ?3 END
WHERE seq = ?4;

-- name: settle_later
-- Settlement: the table could not take it; it is tried again later.
UPDATE notification SET settle_at = ?1 WHERE seq = ?2 AND settle_at IS NOT NULL;

-- name: settle_never
-- Settlement: the row diverged, is gone, or refuses the change; the history says so.
UPDATE notification SET settle = ?1, settle_at = NULL, history = history || '[' || ?2 || ',"' || state || '",' || attempt || ',"",' || ?3 || ',true]'
WHERE seq = ?4 AND settle_at IS NOT NULL;
