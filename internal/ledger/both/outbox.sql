-- The events for EVENTS_URL. Those about notifications are written by triggers, in the transaction
-- of the change and by whatever statement makes it; the others by the statements here. A reader
-- looks for what is due and not for what comes after a number, so that it misses nothing
-- that another process commits late.

-- name: events_due
-- The sender: what is due, at most $2 of it. An event waits for those of its stream before it. As
-- a subquery with min, which no planner takes for a join: without statistics PostgreSQL joins by
-- reading all that is open for each event.
SELECT number, type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, tries, tried, due, acked, given_up, answer
FROM outbox AS e WHERE due <= $1
    AND number = (SELECT min(first.number) FROM outbox AS first WHERE first.stream = e.stream AND first.acked IS NULL)
ORDER BY due, number LIMIT $2;

-- name: event_later
-- An event was not taken: it is tried again at $1. What comes after it in its stream waits as long.
UPDATE outbox SET due = $1, tries = tries + CASE number WHEN $4 THEN 1 ELSE 0 END,
    tried = CASE number WHEN $4 THEN coalesce(tried, $2) ELSE tried END, answer = CASE number WHEN $4 THEN $3 ELSE answer END
WHERE stream = $5 AND number >= $4 AND acked IS NULL AND given_up IS NULL;

-- name: event_given_up
-- An event was not taken for three days. Nothing of its stream is sent until it is replayed.
UPDATE outbox SET due = NULL, given_up = $1, tries = tries + CASE number WHEN $3 THEN 1 ELSE 0 END, answer = CASE number WHEN $3 THEN $2 ELSE answer END
WHERE stream = $4 AND number >= $3 AND acked IS NULL AND given_up IS NULL;

-- name: event_write
-- An event that is not about a change of state.
INSERT INTO outbox (type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, due)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10, $3);

-- name: event_subject
-- How the notification stands that an event is about.
SELECT state, attempt, message FROM notification WHERE row_key = $1 AND source = $2 AND generation = $3;

-- name: events_waiting
-- How many wait, at most $1 + 1.
SELECT count(*) FROM (SELECT 1 FROM outbox WHERE acked IS NULL AND given_up IS NULL LIMIT $1) AS few;

-- name: events_oldest
-- What waits longest.
SELECT at, answer FROM outbox WHERE acked IS NULL AND given_up IS NULL ORDER BY number LIMIT 1;

-- name: events_given_up
-- How many were given up.
SELECT count(*) FROM (SELECT 1 FROM outbox WHERE acked IS NULL AND given_up IS NOT NULL LIMIT $1) AS few;

-- name: events_list
-- pombo events list: what happened since $1, of one type ('' = any), after a number, the oldest first; $4 = 1 only what
-- was not acknowledged.
SELECT number, type, stream, at, source, row_key, generation, template, state, reason, attempt, extra, tries, tried, due, acked, given_up, answer
FROM outbox WHERE number > $2 AND at >= $1 AND ($3 = '' OR type = $3) AND (CAST($4 AS bigint) = 0 OR acked IS NULL)
ORDER BY number LIMIT $5;

-- name: events_revive
-- pombo events replay: what was given up is tried again, from the first on.
UPDATE outbox SET due = $1, given_up = NULL, tries = 0, tried = NULL, answer = ''
WHERE number IN (SELECT number FROM outbox WHERE acked IS NULL AND given_up IS NOT NULL ORDER BY number LIMIT $2);

-- name: events_replay
-- pombo events replay --since: what happened since $1 and was acknowledged is sent again.
UPDATE outbox SET due = $2, acked = NULL, tries = 0, tried = NULL, answer = ''
WHERE number IN (SELECT number FROM outbox WHERE number > $3 AND at >= $1 AND acked IS NOT NULL ORDER BY number LIMIT $4)
RETURNING number;

-- name: events_hasten
-- pombo events replay: what waits for a later try is tried now.
UPDATE outbox SET due = $1 WHERE due > $1;

-- name: remove_events
-- What was acknowledged leaves after a week ($1), what was given up when notifications do ($2).
DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE at < $1 AND (acked IS NOT NULL OR given_up IS NOT NULL AND at < $2) ORDER BY at, number LIMIT $3);

-- name: alert_seen
-- An alert that was raised is still active.
UPDATE outbox_alert SET seen = $1 WHERE name = $2;

-- name: alert_raise
-- An alert is active: whether it was not before.
INSERT INTO outbox_alert (name, seen) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- name: alerts_gone
-- The alerts that have not been active since $1.
SELECT name FROM outbox_alert WHERE seen < $1;

-- name: alert_clear
-- An alert is over: whether nobody has said so yet.
DELETE FROM outbox_alert WHERE name = $1 AND seen < $2;

-- name: outbox_templates
-- How templates stood at the last look.
SELECT name, language, status, category, hash FROM outbox_template;

-- name: outbox_template
-- A template stands otherwise: whether nobody has noted it yet.
INSERT INTO outbox_template (name, language, status, category, hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name, language) DO UPDATE SET status = excluded.status, category = excluded.category, hash = excluded.hash
WHERE outbox_template.status <> excluded.status OR outbox_template.category <> excluded.category OR outbox_template.hash <> excluded.hash;
