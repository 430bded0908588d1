-- Receipts, and what is sent again because of them.

-- name: undo_resend
-- The message arrived after all: the next generation is removed if nothing of it has left.
DELETE FROM notification WHERE row_key = $1 AND source = $2 AND generation = $3 AND state = '{Queued}' AND attempt = 0 AND resends > 0;

-- name: settles_again
-- The message arrived after all, and settles by itself again.
UPDATE notification SET settle = CASE WHEN settle = '{SettleNone}' THEN settle END, history = history || $1 WHERE seq = $2;

-- name: history_of
-- The history of one notification.
SELECT history FROM notification WHERE seq = $1;

-- name: poll_due
-- Notifications for which Blip is to be asked for receipts, the longest due first.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE poll_at <= $1 ORDER BY poll_at, seq LIMIT $2;

-- name: other_failures
-- The streak of failures begins anew when a failure is another one than before.
DELETE FROM failure_streak WHERE reason <> $1 OR code <> $2 OR refused <> $3;

-- name: count_failure
-- The recipient of a failed message joins the streak.
INSERT INTO failure_streak (phone, seq, reason, code, refused)
SELECT phone, seq, $1, $2, $3 FROM notification WHERE seq = $4 AND phone IS NOT NULL
ON CONFLICT (phone) DO NOTHING;

-- name: end_failures
-- A message got through, which was taken in after the first one that failed.
DELETE FROM failure_streak WHERE refused >= $1 AND EXISTS (SELECT 1 FROM failure_streak AS earlier WHERE earlier.seq < $2);

-- name: failures
-- How many people are in the streak.
SELECT count(*) FROM failure_streak;

-- name: clear_failures
-- An operator resumes: the streak ends.
DELETE FROM failure_streak;
