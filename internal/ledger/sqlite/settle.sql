-- See both/settle.sql.

-- name: nothing_owed
-- Settlement: the row has the code already, or keeps the one it has.
UPDATE notification SET settle_at = NULL WHERE seq = ?1 AND state = ?2 AND reply IS NOT DISTINCT FROM ?3;

-- name: settled
-- Settlement: the code ?1 was written. ?2 has the states that are content with it: what has
-- moved on to another stays due, unless a new generation has replaced it; and so does what has
-- another answer now than the one that was written (?5), or was handed over meanwhile.
UPDATE notification SET settled = ?1,
    settle_at = CASE WHEN settle <> '{SettleFallback}'
        OR replace(?2, ',' || CASE WHEN settle = '{SettleFallback}' THEN settle ELSE state END || ',', '') <> ?2 AND reply IS NOT DISTINCT FROM ?5 THEN NULL ELSE ?3 END
WHERE seq = ?4;

-- name: settle_later
-- Settlement: the table could not take it; it is tried again later.
UPDATE notification SET settle_at = ?1 WHERE seq = ?2 AND settle_at IS NOT NULL;

-- name: settle_never
-- Settlement: the row diverged, is gone, or refuses the change; the history says so. Not if another
-- code (?5, as in settled) or another answer (?6) is owed by now: a process that was frozen meanwhile
-- finds the row as the one after it has written it.
UPDATE notification SET settle = ?1, settle_at = NULL, history = history || '[' || ?2 || ',"' || state || '",' || attempt || ',"",' || ?3 || ',true]'
WHERE seq = ?4 AND settle_at IS NOT NULL AND reply IS NOT DISTINCT FROM ?6
    AND replace(?5, ',' || CASE WHEN settle = '{SettleFallback}' THEN settle ELSE state END || ',', '') <> ?5;

-- name: hand_over
-- Fallback: the row is owed the code of the other channel, and nothing after it.
UPDATE notification SET settle = '{SettleFallback}', fallback_at = NULL, settle_at = ?1, history = history || ?2
WHERE seq = ?3 AND state = ?4 AND attempt = ?5 AND settle IS NULL AND reply IS NULL AND fallback_at IS NOT NULL;

-- name: not_handed_over
-- Fallback: the row is not handed over, or looked at again later.
UPDATE notification SET fallback_at = ?1 WHERE seq = ?2 AND state = ?3 AND attempt = ?4 AND fallback_at IS NOT NULL;
