-- What is done to many notifications at once.

-- name: bulk_add
-- The notifications of one: ?2 is JSON, [seq, state, attempt, result] of each.
INSERT INTO bulk_item (bulk, seq, state, attempt, result, sent)
SELECT ?1, value->>0, value->>1, value->>2, value->>3, 0 FROM json_each(?2) WHERE true
ON CONFLICT (bulk, seq) DO NOTHING;
