-- Tallies: how many were taken in by the hour, and what became of them. The leader of the
-- count runs these, and whoever reads a report.

-- name: tally_part
-- The next few notifications to be counted.
SELECT seq, created, state, message, history FROM notification WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3;

-- name: tally_final
-- Which hours are no longer counted, in the transaction that replaces one.
SELECT final FROM tally_progress WHERE one = 1;

-- name: clear_tally
-- An hour is counted anew: its counts until now.
DELETE FROM tally WHERE hour = ?1;

-- name: clear_latency
-- An hour is counted anew: its latencies until now.
DELETE FROM latency WHERE hour = ?1;

-- name: write_tally
-- An hour is counted anew: ?2 is a JSON list of [template, state, reason, n].
INSERT INTO tally (hour, template, state, reason, n)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2);

-- name: write_latency
-- An hour is counted anew: ?2 is a JSON list of [template, leg, bucket, n].
INSERT INTO latency (hour, template, leg, bucket, n)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2);

-- name: next_tally
-- The next hour that has counts.
SELECT min(hour) FROM tally WHERE hour > ?1;

-- name: tally_counted
-- The current hour has been counted, as of ?1.
UPDATE tally_progress SET counted = ?1 WHERE one = 1 AND coalesce(counted, 0) < ?1;

-- name: tally_late
-- The last days have been counted, as of ?1.
UPDATE tally_progress SET late = ?1 WHERE one = 1 AND coalesce(late, 0) < ?1;

-- name: tally_whole
-- All hours have been counted, as of ?1.
UPDATE tally_progress SET whole = ?1 WHERE one = 1 AND coalesce(whole, 0) < ?1;

-- name: end_tally
-- Hours before this one have been counted for the last time: retention may begin on them.
UPDATE tally_progress SET final = ?1 WHERE one = 1 AND coalesce(final, 0) < ?1;

-- name: tally_progress
-- How far the count has come, and from which hour on there are figures.
SELECT counted, late, whole, final, (SELECT min(hour) FROM tally) FROM tally_progress WHERE one = 1;

-- name: tallies
-- A report: the counts from an hour on, until before another.
SELECT hour, template, state, reason, n FROM tally WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, template, state, reason;

-- name: latencies
-- A report: the latencies from an hour on, until before another.
SELECT hour, template, leg, bucket, n FROM latency WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, template, leg, bucket;

-- name: clear_tally_day
-- A day is summed anew: its counts until now.
DELETE FROM tally_day WHERE day = ?1;

-- name: clear_latency_day
-- A day is summed anew: its latencies until now.
DELETE FROM latency_day WHERE day = ?1;

-- name: write_tally_day
-- A day is summed anew: ?2 is a JSON list of [template, state, reason, n].
INSERT INTO tally_day (day, template, state, reason, n)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2);

-- name: write_latency_day
-- A day is summed anew: ?2 is a JSON list of [template, leg, bucket, n].
INSERT INTO latency_day (day, template, leg, bucket, n)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2);

-- name: tally_days
-- A report: the counts by the day, from one on, until before another.
SELECT day, template, state, reason, n FROM tally_day WHERE day >= ?1 AND day < ?2 ORDER BY day, template, state, reason;

-- name: latency_days
-- A report: the latencies by the day, from one on, until before another.
SELECT day, template, leg, bucket, n FROM latency_day WHERE day >= ?1 AND day < ?2 ORDER BY day, template, leg, bucket;
