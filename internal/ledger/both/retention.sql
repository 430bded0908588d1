-- What leaves the ledger: after RETENTION, and when a person asks for it.

-- name: retire
-- Every night: the oldest notifications, some hundred at a time.
SELECT seq, state, attempt, settle_at IS NOT NULL, settle, settled, message = '', history FROM notification
WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3;

-- name: remove_runs
-- Runs that ended long ago, but for the newest one, whose number would be given again.
DELETE FROM run WHERE id IN (SELECT id FROM run WHERE finished < $1 AND id < (SELECT max(id) FROM run) ORDER BY id LIMIT $2);

-- name: remove_bsuids
-- Business-scoped user ids of people who have not been written to for as long.
DELETE FROM business_user WHERE bsuid IN (SELECT bsuid FROM business_user WHERE seen < $1 ORDER BY seen LIMIT $2);

-- name: some_identities
-- The next few identities, to look at.
SELECT max(phone) FROM (SELECT phone FROM identity WHERE phone > $1 ORDER BY phone LIMIT $2) AS few;

-- name: remove_identities
-- Identities among them that are too old to be used.
DELETE FROM identity WHERE phone > $1 AND phone <= $2 AND asked < $3;

-- name: forget_bsuid
-- A person is forgotten.
DELETE FROM business_user WHERE phone = $1;

-- name: forget_failure
-- A person is forgotten.
DELETE FROM failure_streak WHERE phone = $1;

-- name: forget_identity
-- A person is forgotten.
DELETE FROM identity WHERE phone = $1;
