-- The audit trail. Nothing changes a line, and only its age takes one away.

-- name: write_audit
-- A line is added.
INSERT INTO audit (at, who, role, via, address, act, target, detail, person, result)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: audit
-- The newest lines before one, of one person's doing or one act, between two times; '' = whatever it is.
SELECT seq, at, who, role, via, address, act, target, detail, person, result FROM audit
WHERE seq < $1 AND ($2 = '' OR who = $2) AND ($3 = '' OR act = $3) AND at >= $4 AND at < $5
ORDER BY seq DESC LIMIT $6;

-- name: audit_about
-- The same, of what is about one person.
SELECT seq, at, who, role, via, address, act, target, detail, person, result FROM audit
WHERE seq < $1 AND ($2 = '' OR who = $2) AND ($3 = '' OR act = $3) AND at >= $4 AND at < $5 AND person = $7
ORDER BY seq DESC LIMIT $6;

-- name: remove_audit
-- Some of the lines that are older than AUDIT_RETENTION leave.
DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at < $1 ORDER BY at LIMIT $2);
