-- See both/lineage.sql.

-- name: end_doubt
-- The row, or Blip, says what became of an uncertain notification.
UPDATE notification SET state = ?1, lane = ?2, not_before = NULL, settle = ?3, settled = coalesce(?4, settled), settle_at = NULL,
    poll_at = ?5, history = history || ?6
WHERE seq = ?7 AND state = '{Uncertain}' AND attempt = ?8;
