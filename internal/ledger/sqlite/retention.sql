-- See both/retention.sql.

-- name: erase
-- Phone and text of one that is over are erased.
UPDATE notification SET message = '', phone = NULL, history = history || ?1 WHERE seq = ?2 AND state = ?3 AND attempt = ?4;

-- name: remove
-- The rest of it is removed, a day later, provided that its row cannot be pending. (Not the newest
-- one, whose number SQLite would give again.)
DELETE FROM notification WHERE seq = ?1 AND state = ?2 AND attempt = ?3
    AND message = '' AND settle_at IS NULL AND generation = 1 AND seq < (SELECT max(seq) FROM notification)
    AND NOT EXISTS (SELECT 1 FROM notification AS later
        WHERE later.row_key = notification.row_key AND later.source = notification.source AND later.generation > 1);

-- name: to_phone
-- A person is to be forgotten: every notification to the phone.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM notification) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
)
SELECT seq, state, attempt, source, row_key, generation
FROM block CROSS JOIN notification WHERE (seq >> 12) = b AND phone = ?1;
