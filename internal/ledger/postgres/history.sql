-- See both/history.sql.

-- name: list_by_id
-- Those whose row key or id begins so: $5 state, $6 phone.
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE id BETWEEN $9 AND $10
        AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) AND (CAST($6 AS bigint) IS NULL OR phone = $6)
    UNION ALL SELECT seq FROM notification WHERE row_key >= $7 AND row_key < $8
        AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) AND (CAST($6 AS bigint) IS NULL OR phone = $6)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT DISTINCT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_by_phone
-- Those to a phone ($6): $5 state, and the text as in list_part_by_text.
WITH hit AS MATERIALIZED (
    SELECT seq FROM notification WHERE phone = $6
        AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5)
        AND (CAST($7 AS text) IS NULL OR row_key >= $7 AND row_key < $8 OR id BETWEEN $9 AND $10)
)
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (SELECT seq FROM hit WHERE seq < $1 AND seq >= $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq DESC;

-- name: list_handed_over
-- Those whose rows another channel of the company's has: $5 state.
SELECT seq, state, attempt, tries, priority, not_before, expires_at, owner, settled, run, created, generation, phone, source, row_key, message, history
FROM notification WHERE seq IN (
    SELECT seq FROM notification WHERE settle = '{SettleFallback}' AND seq < $1 AND seq >= $2
        AND (CAST($4 AS bigint) IS NULL OR run = $4) AND (CAST($5 AS text) IS NULL OR state = $5) ORDER BY seq DESC LIMIT $3
) ORDER BY seq DESC;
