-- What is done to many notifications at once.

-- name: bulk_add
-- The notifications of one: $2 is JSON, [seq, state, attempt, result] of each.
INSERT INTO bulk_item (bulk, seq, state, attempt, result, sent)
SELECT $1, CAST(value->>0 AS bigint), value->>1, CAST(value->>2 AS bigint), value->>3, 0 FROM jsonb_array_elements(CAST($2 AS jsonb)) AS item (value)
ON CONFLICT (bulk, seq) DO NOTHING;
