-- The guard against a table that went back: rows that were set back to pending by the
-- hundred wait, in queue class {ClassGuarded}, until an operator says what they are.

-- name: guard
-- Intake, in the transaction that takes in rows that were set back: one process at a time.
UPDATE guard SET one = 1 RETURNING since, allowed;

-- name: guard_allowed
-- An operator has let go what was set back, and what follows within a minute.
UPDATE guard SET allowed = $1;

-- name: forget_set_back
-- What was set back more than a minute ago counts no more.
DELETE FROM set_back WHERE at <= $1;

-- name: set_back
-- How many rows were set back within the last minute, and whether the guard has any.
SELECT (SELECT coalesce(sum(rows), 0) FROM set_back), EXISTS (SELECT 1 FROM notification WHERE lane = {ClassGuarded});

-- name: count_set_back
-- So many rows were set back just now.
INSERT INTO set_back (at, rows) VALUES ($1, $2);

-- name: guard_since
-- The guard begins to stop rows.
UPDATE guard SET since = $1;

-- name: stop_resends
-- The guard stops what came from the table within the last minute and has not been claimed;
-- what a receipt or an operator had sent again is no concern of it.
UPDATE notification SET lane = {ClassGuarded}, not_before = not_before + {GuardFar},
    history = history || '[' || CAST($1 AS bigint) || ',"{Queued}",0,"{ResendGuard}"]'
WHERE lane BETWEEN {ClassParked} AND {ClassHighest} AND generation > 1 AND attempt = 0 AND resends = 0 AND created > $2
    AND history LIKE '%,"{SetBackToPending}"%';

-- name: release_resends
-- An operator lets go what the guard stopped.
UPDATE notification SET lane = priority, not_before = not_before - {GuardFar},
    history = history || '[' || CAST($1 AS bigint) || ',"{Queued}",0,"{RetriedByOperator}"]'
WHERE lane = {ClassGuarded};

-- name: clear_set_back
-- The count of the last minute begins anew.
DELETE FROM set_back;

-- name: guard_allow
-- The guard stops nothing until $1.
UPDATE guard SET since = NULL, allowed = $1;

-- name: settle_resends
-- An operator wants nothing sent again of what the guard stopped: the result of the message
-- before is written to the row once more, which has the code of pending rows ($1) now.
UPDATE notification SET settled = $1, settle = NULL, settle_at = $2,
    history = history || '[' || CAST($2 AS bigint) || ',"' || state || '",' || attempt || ',"","its row was pending again, with many others; its status is written once more",true]'
WHERE seq IN (SELECT before.seq FROM notification AS stopped JOIN notification AS before ON before.row_key = stopped.row_key
    AND before.source = stopped.source AND before.generation = stopped.generation - 1
    WHERE stopped.lane = {ClassGuarded} AND before.settled IS NOT NULL);

-- name: drop_resends
-- Those whose row is settled once more were not sent, and their numbers of generation are
-- given to what is set back on purpose.
DELETE FROM notification WHERE seq IN (SELECT stopped.seq FROM notification AS stopped JOIN notification AS before ON before.row_key = stopped.row_key
    AND before.source = stopped.source AND before.generation = stopped.generation - 1
    WHERE stopped.lane = {ClassGuarded} AND before.settled IS NOT NULL AND before.settle_at IS NOT NULL);

-- name: cancel_resends
-- Those without a result before are cancelled.
UPDATE notification SET state = '{Cancelled}', lane = {ClassCancelled}, not_before = NULL, settle = '{SettleNone}',
    history = history || '[' || CAST($1 AS bigint) || ',"{Cancelled}",0,"{CancelledByHand}"]'
WHERE lane = {ClassGuarded};
