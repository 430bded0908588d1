-- See both/outbox.sql.

-- name: event_acked
-- The receiver has taken an event.
UPDATE outbox AS e SET acked = batch.at, due = NULL, given_up = NULL, answer = batch.answer, tries = e.tries + 1, tried = coalesce(e.tried, batch.at)
FROM unnest(CAST($1 AS bigint[]), CAST($2 AS text[]), CAST($3 AS bigint[])) WITH ORDINALITY AS batch (at, answer, number, nth)
WHERE e.number = batch.number AND e.acked IS NULL
RETURNING batch.nth;
