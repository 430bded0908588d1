-- Runs: one look through the table, from the first row taken in to the end of the first
-- tries.

-- name: run_under_way
-- The run that is under way.
SELECT id, started, taking, error FROM run WHERE finished IS NULL ORDER BY id DESC LIMIT 1;

-- name: start_run
-- A run begins, unless there is one.
INSERT INTO run (started, taking, error, first_seq, taker)
VALUES ($1, 1, '', coalesce((SELECT max(seq) FROM notification), 0) + 1, $2)
ON CONFLICT DO NOTHING RETURNING id;

-- name: run_taken
-- A run has taken in what there was; $1 says why it stopped early.
UPDATE run SET taking = 0, error = $1, last_seq = coalesce((SELECT max(seq) FROM notification), 0)
WHERE id = $2 AND finished IS NULL;

-- name: run_waiting
-- The first row of a run whose first try has not ended. Not waited for: rows that may go only
-- later than $5, and queued ones that a worker had claimed and that may go later than $4.
SELECT seq FROM notification
WHERE seq BETWEEN $1 AND $2 AND run = $3
    AND tries = 0 AND (attempt = 0 AND state IN ('{Queued}', '{Claimed}') OR attempt = 1 AND state = '{Sending}')
    AND (state <> '{Queued}' OR not_before <= $4 OR not_before <= $5 AND NOT history LIKE '%,"{Claimed}",%')
ORDER BY seq LIMIT 1;

-- name: finish_run
-- A run ends, with its tally.
UPDATE run SET finished = $1, tally = $2 WHERE id = $3 AND finished IS NULL AND taking = 0;

-- name: run
-- One run.
SELECT id, started, finished, taking, error, first_seq, last_seq, tally FROM run WHERE id = $1;

-- name: runs
-- The newest runs.
SELECT id, started, finished, taking, error, first_seq, last_seq, tally FROM run ORDER BY id DESC LIMIT $1;

-- name: tally
-- The rows of a run, counted: found, waiting, retrying, accepted, failed, uncertain, ended
-- otherwise. What WhatsApp refused after Blip had taken it was accepted.
SELECT count(*),
    count(*) FILTER (WHERE open AND waits),
    count(*) FILTER (WHERE open AND NOT waits),
    count(*) FILTER (WHERE state IN ('{Accepted}', '{Dispatched}', '{Delivered}', '{Read}') OR state = '{Failed}' AND was_accepted),
    count(*) FILTER (WHERE state = '{Failed}' AND NOT was_accepted),
    count(*) FILTER (WHERE state = '{Uncertain}'),
    count(*) FILTER (WHERE state IN ('{Cancelled}', '{Expired}', '{Suppressed}'))
FROM (SELECT state,
        state IN ('{Queued}', '{Claimed}', '{Sending}') AS open,
        tries = 0 AND (attempt = 0 AND state IN ('{Queued}', '{Claimed}') OR attempt = 1 AND state = '{Sending}')
            AND NOT (state = '{Queued}' AND history LIKE '%,"{Claimed}",%') AS waits,
        state = '{Failed}' AND history LIKE '%,"{Accepted}",%' AS was_accepted
    FROM notification WHERE seq BETWEEN $1 AND $2 AND run = $3) AS rows_of_run;
