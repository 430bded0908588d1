-- See both/outbox.sql.

-- name: event_acked
-- The receiver has taken an event.
UPDATE outbox SET acked = ?1, due = NULL, given_up = NULL, answer = ?2, tries = tries + 1, tried = coalesce(tried, ?1) WHERE number = ?3 AND acked IS NULL;
