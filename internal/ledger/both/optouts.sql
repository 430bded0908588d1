-- Who gets no more messages. A process has the list in memory and reads it again when
-- optout_version says that it has changed.

-- name: optout_version
-- Whether the list has changed.
SELECT version FROM optout_version;

-- name: optouts
-- The list.
SELECT phone, identity, bsuid, scope, at, by FROM optout;

-- name: optout_page
-- The list, a page at a time, the latest first.
SELECT seq, phone, identity, bsuid, scope, at, by FROM optout WHERE seq < $1 ORDER BY seq DESC LIMIT $2;

-- name: optout_of
-- Whether a phone is on the list: by itself, or by what Blip has called it.
SELECT seq, phone, identity, bsuid, scope, at, by FROM optout
WHERE phone = $1 OR identity = $2 OR identity IN (SELECT name FROM identity WHERE phone = $1) ORDER BY seq;

-- name: lock_optouts
-- One process at a time changes the list: two that add the other half of one person would
-- each find the list without it.
UPDATE optout_version SET version = version;

-- name: count_optouts
-- The list has changed.
UPDATE optout_version SET version = version + 1;

-- name: phone_of_bsuid
-- The phone that a receipt has told of a business-scoped user id.
SELECT phone FROM business_user WHERE bsuid = $1;

-- name: widen_optout
-- Somebody on the list is to get no messages at all.
UPDATE optout SET scope = 'all', at = $1, by = $2 WHERE scope <> 'all' AND (phone = $3 OR identity = $4);

-- name: add_bsuid
-- Somebody on the list is known by a business-scoped user id, too.
UPDATE optout SET bsuid = $1 WHERE bsuid IS NULL AND (phone = $2 OR identity = $3);

-- name: complete_optout
-- Somebody on the list by one of phone and identity is known by the other, too.
UPDATE optout SET phone = coalesce(phone, $1), identity = coalesce(identity, $2)
WHERE phone = $1 AND identity IS NULL AND NOT EXISTS (SELECT 1 FROM optout WHERE identity = $2)
    OR identity = $2 AND phone IS NULL AND NOT EXISTS (SELECT 1 FROM optout WHERE phone = $1);

-- name: opt_out
-- Somebody is put on the list.
INSERT INTO optout (phone, identity, bsuid, scope, at, by) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING;

-- name: opt_in
-- A phone leaves the list, and the identity that Blip has called it by.
DELETE FROM optout WHERE phone = $1 OR identity IN (SELECT name FROM identity WHERE phone = $1);

-- name: opt_in_identity
-- An identity leaves the list.
DELETE FROM optout WHERE identity = $1;

-- name: phone_of
-- The recipient of a notification, who opted out.
SELECT phone FROM notification WHERE seq = $1;

-- name: remember_bsuid
-- A receipt tells whose phone a business-scoped user id is.
INSERT INTO business_user (bsuid, phone, seen) SELECT $1, phone, $2 FROM notification WHERE seq = $3 AND phone IS NOT NULL
ON CONFLICT (bsuid) DO UPDATE SET phone = excluded.phone, seen = excluded.seen;
