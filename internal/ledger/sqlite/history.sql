-- See both/history.sql.

-- name: list_by_id
-- Those whose row key or id begins so: ?5 state, ?6 phone.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM notification) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
), hit AS MATERIALIZED (
    SELECT seq FROM block CROSS JOIN notification WHERE (seq >> 12) = b AND id BETWEEN ?9 AND ?10
        AND (?4 IS NULL OR run = ?4) AND (?5 IS NULL OR state = ?5) AND (?6 IS NULL OR phone = ?6)
    UNION ALL SELECT seq FROM notification WHERE row_key >= ?7 AND row_key < ?8
        AND (?4 IS NULL OR run = ?4) AND (?5 IS NULL OR state = ?5) AND (?6 IS NULL OR phone = ?6)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT DISTINCT seq FROM hit WHERE seq < ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3) ORDER BY seq DESC;

-- name: list_by_phone
-- Those to a phone (?6): ?5 state, and the text as in list_part_by_text.
WITH RECURSIVE block (b) AS (
    SELECT (SELECT max(seq) FROM notification) >> 12
    UNION ALL SELECT b - 1 FROM block WHERE b > (SELECT min(seq) FROM notification) >> 12
), hit AS MATERIALIZED (
    SELECT seq FROM block CROSS JOIN notification WHERE (seq >> 12) = b AND phone = ?6
        AND (?4 IS NULL OR run = ?4) AND (?5 IS NULL OR state = ?5)
        AND (?7 IS NULL OR row_key >= ?7 AND row_key < ?8 OR id BETWEEN ?9 AND ?10)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3) ORDER BY seq DESC;

-- name: list_handed_over
-- Those whose rows another channel of the company's has: ?5 state. (Left to itself the planner
-- walks the table, which has the same order.)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification INDEXED BY notification_handed_over WHERE settle = '{SettleFallback}' AND seq < ?1 AND seq >= ?2
        AND (CAST(?4 AS bigint) IS NULL OR run = ?4) AND (CAST(?5 AS text) IS NULL OR state = ?5) ORDER BY seq DESC LIMIT ?3
) ORDER BY seq DESC;
