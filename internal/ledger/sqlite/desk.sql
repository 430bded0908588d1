-- The operator's desk: accounts, sessions, and words that are good once.

-- name: desk_user
-- One account.
SELECT name, hash, role, grants, language, keys_off, created, seen, disabled FROM desk_user WHERE name = ?1;

-- name: desk_users
-- All accounts.
SELECT name, hash, role, grants, language, keys_off, created, seen, disabled FROM desk_user ORDER BY name;

-- name: add_desk_user
-- A new account.
INSERT INTO desk_user (name, hash, role, grants, language, keys_off, created, seen, disabled)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING;

-- name: change_desk_user
-- An account changes, unless somebody has changed what it may do or its password meanwhile.
UPDATE desk_user SET hash = ?2, role = ?3, grants = ?4, language = ?5, keys_off = ?6, disabled = ?7
WHERE name = ?1 AND hash = ?8 AND role = ?9 AND grants = ?10 AND disabled = ?11 AND created = ?12;

-- name: see_desk_user
-- Somebody has signed in.
UPDATE desk_user SET seen = ?2 WHERE name = ?1;

-- name: desk_session
-- One session that is not over.
SELECT token, name, data, expires FROM desk_session WHERE token = ?1 AND expires > ?2;

-- name: desk_sessions
-- The sessions that are not over.
SELECT token, name, data, expires FROM desk_session WHERE expires > ?1 ORDER BY name, expires DESC;

-- name: save_desk_session
-- A session begins, or has changed.
INSERT INTO desk_session (token, name, data, expires) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (token) DO UPDATE SET name = excluded.name, data = excluded.data, expires = excluded.expires;

-- name: delete_desk_session
-- A session ends.
DELETE FROM desk_session WHERE token = ?1;

-- name: use_once
-- A word is used, if nobody has used it before.
INSERT INTO desk_once (word, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING;

-- name: remove_desk_sessions
-- Sessions that are over leave.
DELETE FROM desk_session WHERE expires <= ?1;

-- name: remove_used
-- Words leave that are too old to be used anyway.
DELETE FROM desk_once WHERE expires <= ?1;
