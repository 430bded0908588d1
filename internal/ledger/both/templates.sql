-- Templates as Blip listed them, and those that an operator holds.

-- name: template_latest
-- The newest version of every template.
SELECT name, language, hash, first_seen, last_seen FROM template_version AS version
WHERE first_seen = (SELECT max(first_seen) FROM template_version AS later WHERE later.name = version.name AND later.language = version.language);

-- name: template_new
-- A template has changed, or is new; two processes may see it at the same time.
INSERT INTO template_version (name, language, first_seen, last_seen, hash, body)
SELECT CAST($1 AS text), CAST($2 AS text), CAST($3 AS bigint), CAST($3 AS bigint), CAST($4 AS text), CAST($5 AS text) WHERE NOT EXISTS (
    SELECT 1 FROM template_version AS version WHERE version.name = $1 AND version.language = $2 AND version.hash = $4
        AND first_seen = (SELECT max(first_seen) FROM template_version AS later WHERE later.name = $1 AND later.language = $2))
ON CONFLICT (name, language, first_seen) DO NOTHING;

-- name: template_seen
-- Blip still lists a version.
UPDATE template_version SET last_seen = $1 WHERE name = $2 AND language = $3 AND first_seen = $4 AND last_seen < $1;

-- name: template_at
-- The version that was in force at a time ($3), in a language ($2; '' = any).
SELECT body, first_seen, last_seen FROM template_version WHERE name = $1 AND (CAST($2 AS text) = '' OR language = $2) AND first_seen <= $3
ORDER BY first_seen DESC LIMIT 1;

-- name: template_versions
-- Every version of a template, the newest first.
SELECT body, first_seen, last_seen FROM template_version WHERE name = $1 AND (CAST($2 AS text) = '' OR language = $2) ORDER BY first_seen DESC LIMIT $3;

-- name: hold_template
-- An operator holds a template, or changes the hold.
INSERT INTO template_hold (name, who, note, at, until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET who = excluded.who, note = excluded.note, at = excluded.at, until = excluded.until;

-- name: release_template
-- An operator releases a template. A hold whose time is over is as good as none.
DELETE FROM template_hold WHERE name = $1 AND (until IS NULL OR until > $2);

-- name: held_templates
-- Which templates are held. Every process asks every second.
SELECT name, who, note, at, until FROM template_hold WHERE until IS NULL OR until > $1 ORDER BY name;

-- name: reach_waiting
-- What waits in the queue, at most $1 of it.
SELECT message, expires_at FROM notification WHERE lane BETWEEN {ClassGuarded} AND {ClassHighest} LIMIT $1;

-- name: reach_arrived
-- What was taken in last, at most $1 of it, the newest first.
SELECT created, message FROM notification ORDER BY seq DESC LIMIT $1;
